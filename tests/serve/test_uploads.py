"""Uploaded videos live as long as a page has them."""

import pytest
from refocus.serve.uploads import Uploads


@pytest.fixture
def uploads(tmp_path):
    (tmp_path / "uploads").mkdir()
    return Uploads(tmp_path / "uploads")


def upload(uploads, name: str):
    path = uploads.folder / name / "video.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"video")
    return path


def test_another_video_or_a_closed_page_deletes_the_one_before(uploads):
    first, second = upload(uploads, "first"), upload(uploads, "second")
    uploads.hold("page", first)
    assert first.exists()
    uploads.hold("page", second)
    assert not first.parent.exists() and second.exists()
    uploads.hold("page", None)
    assert list(uploads.folder.iterdir()) == []


def test_a_copy_that_two_pages_share_stays_for_the_second(uploads):
    shared = upload(uploads, "shared")
    for page in ("one", "two"):
        uploads.hold(page, shared)
    uploads.hold("one", None)
    assert shared.exists()
    uploads.hold("two", None)
    assert not shared.exists()


def test_the_same_video_again_keeps_it(uploads):
    video = upload(uploads, "video")
    for _ in range(2):
        uploads.hold("page", video)
    assert video.exists()


def test_nothing_outside_the_uploads_is_deleted(uploads, tmp_path):
    own = tmp_path / "own" / "video.mp4"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    uploads.hold("page", own)
    uploads.hold("page", None)
    uploads.hold("page", uploads.folder / ".." / "own" / "video.mp4")
    uploads.hold("page", None)
    assert own.exists()
