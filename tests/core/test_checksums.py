"""Folders of models are what was written."""

import subprocess

import pytest
from refocus.core.checksums import SUMS, add_sum, check_sums, write_sums
from refocus.core.errors import RefocusError


@pytest.fixture()
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    write_sums(tmp_path)
    return tmp_path


def test_what_was_written_passes_and_coreutils_reads_the_notes(folder):
    check_sums(folder)
    assert subprocess.run(["sha256sum", "--quiet", "-c", SUMS], cwd=folder, check=False).returncode == 0
    write_sums(folder)
    check_sums(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
@pytest.mark.fault(
    "damaged input or result", "train select", "a file of a model folder that was flipped, cut or is gone is named"
)
def test_a_changed_file_is_named(folder, name, harm):
    file = folder / name
    data = file.read_bytes()
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:] if harm == "flipped" else data[:-1])
    if harm == "gone":
        file.unlink()
    with pytest.raises(RefocusError, match=rf"{name} is not what was written: make it again, or remove .*{SUMS}"):
        check_sums(folder)


def test_a_file_that_was_written_later_is_noted_like_the_others(folder):
    for text in ("{}", "[]"):
        (folder / "later.json").write_text(text)
        add_sum(folder, "later.json")
        check_sums(folder)
    (folder / "later.json").write_text("{}")
    with pytest.raises(RefocusError, match=r"later\.json"):
        check_sums(folder)


def test_a_folder_without_notes_is_taken_as_it_is(folder):
    (folder / SUMS).unlink()
    (folder / "config.json").write_text("[]")
    check_sums(folder)
