"""Which file a path means: exact first, then alike, never outside the data root."""

import os
import time
import unicodedata

import pytest
from refocus.qa import video_finder
from refocus.qa.video_finder import Remote, VideoFinder, checked


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


BAD = ["../a.mp4", "/a.mp4", "x/../../a.mp4", "..\\a.mp4", "C:\\a.mp4", "", ".", "a\0b"]


@pytest.mark.parametrize("path", BAD)
def test_paths_cannot_leave_the_root(tmp_path, path):
    """Nothing outside the data root can be named, found or asked for."""
    with pytest.raises(ValueError, match="path"):
        checked(path)
    with pytest.raises(ValueError, match="path"):
        VideoFinder(tmp_path).find([path])


def test_videos_are_found_by_stem_in_their_own_folder(tmp_path):
    """Another extension or case is taken; the same stem in another folder is another video."""
    touch(tmp_path, "One/clip.webm", "one_more.MP4", "two/clip.mp4", "one/notes.txt")
    finder = VideoFinder(tmp_path)
    assert finder.find(["Two/CLIP.mkv"]) == "two/clip.mp4"
    assert finder.find(["One/clip.mp4"]) == "One/clip.webm"
    assert finder.find(["One_More.mp4"]) == "one_more.MP4"
    assert finder.find(["three/clip.mp4", "two/clip.mp4"]) == "two/clip.mp4"
    assert not finder.missing
    assert finder.find(["one/notes.mp4"]) == "one/notes.mp4"
    assert finder.find(["three/clip.mp4"]) == "three/clip.mp4"
    assert finder.missing == {"one/notes.mp4", "three/clip.mp4"}


@pytest.mark.parametrize(
    ("files", "asked", "found"),
    [
        (["a.mp4", "A.mp4"], "A.mp4", "A.mp4"),
        (["a.mp4", "A.webm"], "A.mp4", "A.webm"),
        (["a.AVI", "a.MP4"], "A.mp4", "a.MP4"),
        (["-a.mp4"], "-a.mkv", "-a.mp4"),
        (["v_x.y.mkv"], "v_x.y", "v_x.y.mkv"),
        (["Mr.mp4"], "Mr. Bean", None),
        (["._a.mp4", "a.mp4.part", "a.srt"], "a.mp4", None),
        (["b.mp4"], "a.mp4", None),
        (["a\nb.mkv"], "a\nb.mp4", "a\nb.mkv"),
        (["a.mp4"], "n" * 400 + ".mp4", None),
        (["a.mp4"], "x/" * 3000 + "a.mp4", None),
    ],
)
def test_the_nearest_name_wins(tmp_path, files, asked, found):
    """Same letters before same extension, and whole stems only."""
    touch(tmp_path, *files)
    finder = VideoFinder(tmp_path)
    assert finder.find([asked]) == (found or asked)
    assert bool(finder.missing) == (found is None)


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_in_either_normal_form_are_found(tmp_path, stored, asked):
    """A disk that was a Mac's keeps accents apart from their letters; folders too."""
    on_disk = unicodedata.normalize(stored, "Übung/Café_ナ.mkv")
    touch(tmp_path, on_disk)
    finder = VideoFinder(tmp_path)
    assert finder.find([unicodedata.normalize(asked, "Übung/Café_ナ.mkv")]) == on_disk
    assert finder.find([unicodedata.normalize(asked, "übung/CAFÉ_ナ.mp4")]) == on_disk
    assert not finder.missing


def test_links_are_followed_inside_the_root_only(tmp_path):
    """The root itself may be a link; a link out of it is refused by name, whether it is a file or a folder."""
    touch(tmp_path, "data/one/a.mp4", "outside/b.mp4")
    root = tmp_path / "root"
    root.symlink_to(tmp_path / "data")
    (root / "two").symlink_to("one")
    (root / "c.mp4").symlink_to("one/a.mp4")
    (root / "loop").symlink_to("loop")
    (root / "gone.mp4").symlink_to("one/gone.mp4")
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "one" / "b.mp4").symlink_to(tmp_path / "outside" / "b.mp4")
    finder = VideoFinder(root)
    assert [finder.find([path]) for path in ("two/a.mkv", "c.mp4")] == ["two/a.mp4", "c.mp4"]
    assert finder.find(["away/b.mp4", "one/a.mp4"]) == "one/a.mp4"
    for path in ("away/b.mp4", "one/b.mp4", "two/b.mp4"):
        with pytest.raises(ValueError, match="link"):
            finder.find([path])
    assert finder.find(["gone.mp4"]) in finder.missing
    assert finder.find(["loop/a.mp4"]) in finder.missing


def test_links_may_lead_into_allowed_roots_and_nowhere_else(tmp_path):
    """Also through another link; a folder whose name merely begins alike is another one."""
    touch(tmp_path, "root/a.mp4", "disk2/b.mp4", "disk22/c.mp4", "disk3/d.mp4")
    (tmp_path / "mounted").symlink_to("disk2")
    root = tmp_path / "root"
    for name in ("disk2", "disk22", "disk3"):
        (root / name).symlink_to(tmp_path / name)
    finder = VideoFinder(root, [tmp_path / "mounted"])
    assert finder.find(["disk2/b.mkv"]) == "disk2/b.mp4"
    for path in ("disk22/c.mp4", "disk3/d.mp4"):
        with pytest.raises(ValueError, match=r"leaves the data root .*allowed_roots.*--allowed-roots"):
            finder.find([path])
    with pytest.raises(ValueError, match="leaves the data root"):
        VideoFinder(root).find(["disk2/b.mp4"])


@pytest.mark.parametrize("path", ["s3://b/a.mp4", "https://example.org/a.mp4", "hf://datasets/x/a.mp4", "gs:/b/a.mp4"])
def test_addresses_are_refused_as_such(tmp_path, path):
    """Not looked for as a file, and what to do is said; a colon in a name is none."""
    with pytest.raises(Remote, match="download or mount it"):
        VideoFinder(tmp_path).find([path])
    touch(tmp_path, "10:30/a: b.mp4")
    assert VideoFinder(tmp_path).find(["10:30/a: b.mp4"]) == "10:30/a: b.mp4"


def test_a_hugging_face_snapshot_may_link_to_its_own_blobs(tmp_path):
    """Its files are links out of the snapshot by design; links of another download are not its own."""
    touch(tmp_path, "set/blobs/0a1b", "other/blobs/2c3d")
    videos = tmp_path / "set" / "snapshots" / "rev" / "videos"
    videos.mkdir(parents=True)
    (videos / "a.mp4").symlink_to("../../../blobs/0a1b")
    (videos / "b.mp4").symlink_to(tmp_path / "other" / "blobs" / "2c3d")
    for root, prefix in ((videos, ""), (videos.parent, "videos/")):
        finder = VideoFinder(root)
        assert finder.find([f"{prefix}a.mp4"]) == f"{prefix}a.mp4"
        assert not finder.missing
        with pytest.raises(ValueError, match="link"):
            finder.find([f"{prefix}b.mp4"])


def test_looking_up_costs_the_same_in_a_large_folder(tmp_path):
    """Names are listed once: twice as many files and questions take about twice as long, not four times."""
    seconds = []
    for count in (2000, 8000):
        folder = tmp_path / str(count)
        touch(folder, *(f"V_{index}.MKV" for index in range(count)))
        begin = time.process_time()
        finder = VideoFinder(folder)
        assert all(finder.find([f"v_{index}.mp4"]) == f"V_{index}.MKV" for index in range(count))
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 10 * seconds[0] + 0.2


def test_every_folder_is_listed_once_however_many_folders_are_asked_about(tmp_path, monkeypatch):
    """Also the root, which every path begins at: on a network file system a listing is what costs."""
    listed = []
    touch(tmp_path, *(f"d{number}/a.mp4" for number in range(20)))
    scan = os.scandir
    monkeypatch.setattr(video_finder.os, "scandir", lambda place: listed.append(str(place)) or scan(place))
    finder = VideoFinder(tmp_path)
    for number in range(25):
        finder.find([f"d{number}/a.mp4", f"D{number}/b.mp4"])
    assert len(listed) == len(set(listed)) == 21
