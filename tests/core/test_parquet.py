"""Tables are what was written or are refused: bits flipped anywhere, files cut short."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of, write_table

from tests.support.reliability import READING

ROWS = pa.table(
    {"qa_id": [f"q{n:04}" for n in range(500)], "margin": pa.array([n / 500 for n in range(500)], pa.float32())}
)
SETTINGS = {"selector": "uniform", "version": 3}


@pytest.fixture()
def written(tmp_path):
    write_table(tmp_path / "a.parquet", ROWS, "reward", SETTINGS)
    return tmp_path / "a.parquet"


def test_what_was_written_is_read(written):
    assert parquet.read_table(written).equals(ROWS)
    assert settings_of(parquet.read_schema(written)) == SETTINGS
    assert parquet.read_table(written, ["margin"]).column_names == ["margin"]


def test_other_programs_read_it(written):
    assert pq.read_table(written).equals(ROWS)


@pytest.mark.fault(
    "damaged input or result",
    READING,
    "bits of any table: the same rows and settings, or refused with what to delete",
)
def test_no_flipped_bit_gives_other_rows_or_other_settings(written):
    data, rng, refused = written.read_bytes(), random.Random(0), 0
    for place in sorted({rng.randrange(len(data)) for _ in range(600)}):
        written.write_bytes(data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :])
        try:
            table, settings = parquet.read_table(written), settings_of(parquet.read_schema(written))
        except RefocusError as error:
            assert "delete it and run that stage again" in str(error)
            refused += 1
        else:
            assert table.equals(ROWS) and settings == SETTINGS, f"byte {place}"
    assert refused > 500


def test_every_bit_of_the_footer_counts(written):
    data = written.read_bytes()
    start = data.index(b"uniform")
    written.write_bytes(data[:start] + b"unifosm" + data[start + 7 :])
    with pytest.raises(RefocusError, match="its footer is not what was written"):
        parquet.read_schema(written)


@pytest.mark.parametrize("left", [0, 3, 11, 0.5, 0.99])
@pytest.mark.fault(
    "damaged input or result",
    READING,
    "a table that is cut off is named, with what to delete",
)
def test_a_file_that_is_cut_off_is_refused_by_its_name(written, left):
    data = written.read_bytes()
    written.write_bytes(data[: left if isinstance(left, int) else int(left * len(data))])
    with pytest.raises(RefocusError, match=r"a\.parquet: cannot be read as parquet .* delete it"):
        parquet.read_table(written)


def test_a_table_that_grows_batch_by_batch_is_checked_too(tmp_path):
    path = tmp_path / "b.parquet"
    with parquet.writer(path, ROWS.schema) as file:
        file.write_table(ROWS.slice(0, 100))
        file.write_table(ROWS.slice(100))
        file.add_key_value_metadata({"noted": "later"})
    assert parquet.read_table(path).equals(ROWS)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"later", b"latex"))
    with pytest.raises(RefocusError, match="footer"):
        parquet.read_table(path)


def test_files_of_earlier_versions_and_other_programs_are_read(tmp_path):
    pq.write_table(ROWS, tmp_path / "old.parquet")
    assert parquet.read_table(tmp_path / "old.parquet").equals(ROWS)


def test_a_table_that_other_programs_changed_is_read(written):
    """They keep what the schema says, and know nothing of our checksums."""
    changed = pq.read_table(written).slice(0, 100)
    pq.write_table(changed, written)
    assert parquet.read_table(written).equals(changed)
    assert settings_of(parquet.read_schema(written)) == SETTINGS


def test_a_missing_file_and_a_missing_column_are_told(written, tmp_path):
    with pytest.raises(RefocusError, match="no such file"):
        parquet.read_table(tmp_path / "nothing.parquet")
    with pytest.raises(RefocusError, match=r"no column 'logits' \(it has qa_id, margin\)"):
        parquet.read_table(written, ["logits"])
