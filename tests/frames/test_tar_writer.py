"""The tar files we write, against the standard library's reader."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.frames.tar_writer import TarWriter, header, members

CONTENTS = st.lists(st.binary(max_size=2000), max_size=5)


def written(contents):
    handle = io.BytesIO()
    writer = TarWriter(handle)
    places = [writer.add(f"clip.{index:04d}.jpg", content) for index, content in enumerate(contents)]
    writer.close()
    return handle.getvalue(), places


@given(CONTENTS)
def test_tarfile_reads_what_is_written_and_places_are_true(contents):
    """Names, contents, modes; the recorded offset and size give the content itself."""
    data, places = written(contents)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        read = [(item.name, archive.extractfile(item).read(), item.mtime, item.mode) for item in archive]
    assert read == [(f"clip.{index:04d}.jpg", content, 0, 0o644) for index, content in enumerate(contents)]
    assert [data[place.offset : place.offset + place.size] for place in places] == contents


@given(CONTENTS, st.data())
def test_a_cut_or_damaged_tar_gives_its_intact_beginning(tmp_path_factory, contents, data):
    """Whatever is left is a prefix of what was there."""
    content, places = written(contents)
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    found = list(members(path))
    assert found == [place for place in places if place.offset + place.size <= cut]


def test_names_and_sizes_that_do_not_fit_are_refused():
    """ustar holds 100 characters, and sizes below 8 GiB."""
    with pytest.raises(ValueError, match="100"):
        header("x" * 101, 0)
    with pytest.raises(ValueError, match="overflow"):
        header("x", 8**11)
