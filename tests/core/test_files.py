"""Files are complete or absent, and as readable as any other new file."""

import os

import pytest
from refocus.core.files import atomic


def test_a_file_appears_when_it_is_complete(tmp_path):
    with atomic(tmp_path / "new" / "a.txt") as draft:
        draft.write_text("all of it")
        assert os.listdir(tmp_path / "new") == [draft.name]
    assert os.listdir(tmp_path / "new") == ["a.txt"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.txt") as draft:
        draft.write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_file_made_by_a_private_writer_is_as_readable_as_any_other(tmp_path):
    """safetensors makes its files for their owner alone; a lab shares its models."""
    (tmp_path / "plain").touch()
    with atomic(tmp_path / "a.bin") as draft:
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode
