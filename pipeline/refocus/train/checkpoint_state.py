"""`state.json` of a checkpoint: what identifies the run, and by which the checkpoint is known to be whole.

Keys: `step`, `identity`, `python` (random states), `best`, `files` (SHA-256 of the other files), `logs` (how far the
logs beside the folders had been written, and the SHA-256 of that), `seal` (a digest of all of these, which checkpoints
of earlier versions lack).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refocus.core.files import digest, file_digest
from refocus.train.run_log import log_is_whole

FOLDER, DRAFT, GONE = "step-", ".draft-", ".gone-"
STATE = "state.json"
SEAL = "seal"


def sealed(state: Mapping[str, Any]) -> dict[str, Any]:
    """With a digest of all the rest, as plain JSON values."""
    plain = json.loads(json.dumps(state))
    return {**plain, SEAL: digest(plain, 16)}


def read_whole(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint that is what was written.

    Raises:
        ValueError, OSError, KeyError, AttributeError, TypeError: it is not; the message says what of it.
    """
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    seal = state.pop(SEAL, None)
    if seal not in (None, digest(state, 16)):
        raise ValueError(f"{STATE} is not what was written")
    for name, sha256 in state.get("files", {}).items():
        if file_digest(folder / name) != sha256:
            raise ValueError(f"{name} is not what was written")
    for name, (length, sha256) in state.get("logs", {}).items():
        if not log_is_whole(folder.parent / name, length, sha256):
            raise ValueError(f"{folder.parent / name} has lost lines that were written before it")
    return state
