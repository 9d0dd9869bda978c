"""Checkpoints against what they say of themselves, and a run's logs against its checkpoints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.core.files import digest
from refocus.core.lease import LEASE
from refocus.core.results_folder import KEPT_CHECKPOINTS, POLICY
from refocus.policy.provenance import read_provenance
from refocus.train.checkpoint_state import FOLDER, SEAL, STATE, read_whole
from refocus.train.run_log import GROUPS, METRICS, log_is_whole

LOGS = (METRICS, GROUPS)


def steps(work: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(work.glob(f"{FOLDER}*"))


def checkpoint_damage(work: Path) -> Iterator[tuple[Path, str]]:
    """The checkpoints of a folder that cannot be gone on from, and why."""
    for folder in steps(work):
        try:
            read_whole(folder)
            text = (folder / STATE).read_text(encoding="utf-8")
            if SEAL in json.loads(text) and text != json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n":
                raise ValueError(f"{STATE} is not what was written")
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            yield folder, f"cannot be gone on from: {error}"


def without_digest(work: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder of checkpoints that carry no digest, and why; those of nobody are left out."""
    yield work / LEASE, "says who trains here"
    yield from ((file, "W&B's own") for file in (work / "wandb").rglob("*"))


def in_part(work: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder of checkpoints that these vouch for in part, and why."""
    states = {folder: _state(folder) or {} for folder in steps(work)}
    yield from ((folder / STATE, "written by an earlier version") for folder in states if SEAL not in states[folder])
    for name in LOGS:
        length = max((state.get("logs", {}).get(name, [0])[0] for state in states.values()), default=0)
        if (work / name).is_file() and (work / name).stat().st_size > length:
            yield work / name, "goes on behind the newest checkpoint"


def vouched_for(work: Path) -> set[Path]:
    """The files of a folder of checkpoints that belong to it."""
    known = {work / name for name in LOGS}
    for folder in steps(work):
        known |= {folder / STATE, *(folder / name for name in (_state(folder) or {}).get("files", {}))}
    return known


def log_damage(results: Path, log: Path) -> str | None:
    """What is wrong with a log that a run published; empty if nothing is, None if no checkpoint of the run is kept."""
    marks = list(_marks(results, log))
    if not marks:
        return None
    if any(log_is_whole(log, length, sha256) for length, sha256 in marks):
        return ""
    return "is not what the checkpoints of its run noted"


def _marks(results: Path, log: Path) -> Iterator[tuple[int, str]]:
    """How long the log was at each checkpoint of its run, and the SHA-256 of that.

    The run is known by its description, which a finished one has; of any other every checkpoint counts.
    """
    try:
        made = read_provenance(POLICY.at(results, run=log.parent.name, state="policy"))
    except RefocusError:
        made = None
    for folder in KEPT_CHECKPOINTS.at(results, fingerprint="").glob(f"*/*/{FOLDER}*"):
        state = _state(folder) or {}
        mark = state.get("logs", {}).get(log.name)
        finished = made is not None and state.get("step") == made.steps
        if mark is not None and (
            made is None or (finished and digest(state["identity"]) == made.fingerprints.get("run"))
        ):
            yield mark[0], mark[1]


def _state(folder: Path) -> dict[str, Any] | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
