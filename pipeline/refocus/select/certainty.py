"""How sure an LMM is of its answer from each frame alone: tables for `confidence`, one per shard."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from refocus.core.files import write_table
from refocus.qa.records import read_columns
from refocus.select.cost import Cost, with_cost

SCHEMA = pa.schema([("qa_id", pa.string()), ("log_certainty", pa.list_(pa.float32()))])


def write_certainty(path: Path, found: Mapping[str, np.ndarray], cost: Cost, settings: Mapping[str, Any]) -> None:
    """Writes one row per question: qa_id, log_certainty (one number per kept frame of its clip)."""
    columns = {"qa_id": list(found), "log_certainty": [values.tolist() for values in found.values()]}
    write_table(path, with_cost(pa.table(columns, schema=SCHEMA), cost), "certainty", settings)


def read_certainty(paths: Iterable[Path]) -> dict[str, np.ndarray]:
    """log max softmax by qa_id, (t,) per question; (0,) for one that could not be asked.

    Raises:
        RefocusError: a table is missing or is none.
    """
    tables = [read_columns(path, SCHEMA.names) for path in paths]
    return {
        qa_id: np.array(values, np.float32)
        for table in tables
        for qa_id, values in zip(table["qa_id"].to_pylist(), table["log_certainty"].to_pylist(), strict=True)
    }
