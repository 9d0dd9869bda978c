"""Weights are known by their content, whatever their size, and large ones are read once."""

import os

import pytest
from refocus.config.identity import weights
from refocus.core import content as module
from refocus.core.content import content


@pytest.fixture
def read(tmp_path, monkeypatch):
    """A cache of this test's own, files of ten bytes as large ones, and the names of those that are read."""
    seen = []
    digest = module.file_digest
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "SMALL", 9)
    monkeypatch.setattr(module, "file_digest", lambda file: (seen.append(file.name), digest(file))[1])
    return seen


def swapped(file, data):
    """Other bytes of the same number, under the same dates."""
    dates = file.stat()
    file.write_bytes(data)
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (dates.st_size, dates.st_mtime_ns)


def test_other_weights_of_the_same_size_and_date_are_another_model(read, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"a" * 10)
    first = weights(str(folder))
    assert weights(str(folder)) == first
    swapped(folder / "model.safetensors", b"b" * 10)
    assert weights(str(folder)) != first
    swapped(folder / "model.safetensors", b"a" * 10)
    assert weights(str(folder)) == first


def test_a_large_file_is_read_once_until_it_changes(read, tmp_path):
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"a" * 10)
    other.write_bytes(b"b" * 10)
    found = [content(file), content(other), content(file), content(other)]
    assert read == ["a", "b"] and found[:2] == found[2:] and found[0] != found[1]
    swapped(file, b"c" * 10)
    assert content(file) not in found and read == ["a", "b", "a"]


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"x": [1, 2, 3, 4, 5]}', "[" * 3000])
def test_notes_that_are_not_as_they_were_written_count_for_nothing(read, tmp_path, text):
    file = tmp_path / "a"
    file.write_bytes(b"a" * 10)
    (tmp_path / "cache" / "refocus").mkdir(parents=True)
    (tmp_path / "cache" / "refocus" / module.KNOWN).write_text(text)
    assert content(file) == content(file) == module.file_digest(file)
    assert read == ["a", "a"]  # by content once, then here


def test_where_nothing_can_be_noted_files_are_read_every_time(read, tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"a" * 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert content(file) == content(file)
    assert read == ["a", "a"]
