"""What made a trained policy, in `provenance.json` beside its weights: enough to make it again, and to tell whether
the files are still those that were made.

Names of folders on the machine that trained it are cut to their last part: the file is made to be shared.
"""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from refocus.core.errors import UsageError
from refocus.core.files import file_digest, write_json
from refocus.core.model_folder import CARD, CONFIG, DESCRIPTIONS, PROVENANCE, WEIGHTS, read_json

T = TypeVar("T")
# A path from the root or a home folder, at the beginning of a word or behind a quote, a bracket or an equals sign.
_ABSOLUTE = re.compile(r"""(?<![^\s'"=,(\[{])(?:~[\w-]*)?(?:/[^/\s'"=,)\]}]+)*/(?P<name>[^/\s'"=,)\]}]+)""")


class _Record(BaseModel):
    """Plain values; keys that a later version adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Model(_Record):
    """A model that training started from or asked.

    name: hub id, or the name of the folder it was read from; hub: whether it is a hub id. weights: 12 hex digits of
    its files (of its name for a hub id), see `refocus.config.identity.weights`.
    """

    name: str
    hub: bool
    weights: str
    settings: dict[str, Any] = {}


class DataSet(_Record):
    """Questions and video files of one data set: learned from, and held back for validation.

    format: the adapter that read it, "" where nobody noted it. synthetic: it is of the synthetic world.
    """

    name: str
    format: str
    synthetic: bool
    questions: int
    videos: int
    held_back_questions: int
    held_back_videos: int


class Filtered(_Record):
    """What the variance filter was told and did: its settings, and questions by outcome."""

    settings: dict[str, Any]
    questions: int
    kept: int
    dropped_as: dict[str, int] = {}


class Validated(_Record):
    """Answers of the reward LMM on held-back videos, with the policy's frames and with as many uniform ones.

    step: after how many steps. accuracy in [0, 1], reward: the mean margin in [-1, 1] (Eq. 5).
    """

    step: int
    questions: int
    videos: int
    accuracy: float
    accuracy_uniform: float
    reward: float
    reward_uniform: float


class Provenance(_Record):
    """Of a policy folder.

    run: the run's name. state: `policy` (after the last step) or `best` (at the best validation). step: after how many
    of the run's `steps`. learned_from: `train.questions`. left_out: questions that could not be trained on, by reason.
    fingerprints: 12 hex digits of what the run read. files: SHA-256 of every file of the folder that decides picks.
    """

    run: str
    state: str
    step: int
    steps: int
    command: str
    processes: int
    made_by: dict[str, Any]
    seed: int
    learned_from: str
    settings: dict[str, Any]
    base: Model
    reward_model: Model
    data: tuple[DataSet, ...]
    left_out: dict[str, int]
    filter: Filtered | None
    validation: Validated | None
    fingerprints: dict[str, Any]
    files: dict[str, str] = {}

    @property
    def is_synthetic(self) -> bool:
        """Whether all it learned from is the synthetic world."""
        return all(data.synthetic for data in self.data)


def write_provenance(folder: Path, made: Provenance) -> Provenance:
    """Writes it into a policy folder, with the digests of the files that are there. Returns what was written."""
    files = {path.name: file_digest(path) for path in _counted(folder)}
    made = made.model_copy(update={"files": files})
    write_json(folder / PROVENANCE, made.model_dump(mode="json"))
    return made


def read_provenance(folder: Path) -> Provenance | None:
    """Of a policy folder; None where it does not say.

    Raises:
        UsageError: the file is not as `write_provenance` writes it.
    """
    file = folder / PROVENANCE
    if not file.is_file():
        return None
    try:
        return Provenance.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{file} is not what training writes: {where}: {first['msg']}") from None


def described(folder: Path) -> Provenance:
    """Of a folder that holds all that training wrote, as it wrote it: what may be shared.

    Raises:
        UsageError: a file is missing, or is not the one that was written; or nothing describes the weights.
    """
    if not (folder / CONFIG).is_file():
        raise UsageError(f"{folder} is not a policy folder: it has no {CONFIG}")
    made = read_provenance(folder)
    if made is None:
        raise UsageError(
            f"{folder} has no {PROVENANCE}: nothing says what its weights were trained on. Training describes the "
            "folders policy/ and best/ of a run; for a run that is finished, its `refocus train` command once more "
            "writes what is missing, from the checkpoint"
        )
    missing = [name for name in (*made.files, CARD) if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{folder} is not complete: it lacks {', '.join(missing)}")
    if WEIGHTS not in made.files:
        raise UsageError(f"{folder / PROVENANCE} says nothing of {WEIGHTS}")
    changed = [name for name, digest in made.files.items() if file_digest(folder / name) != digest]
    added = sorted({path.name for path in _counted(folder)} - made.files.keys())
    if changed or added:
        what = [f"{name} is another file than training wrote" for name in changed]
        what += [f"{name} was added since" for name in added]
        raise UsageError(f"{folder}: {'; '.join(what)}. The card and {PROVENANCE} would not be true of it")
    return made


def shareable(value: T) -> T:
    """A value or nested values, with paths that begin at the root or a home folder cut to their last part."""
    changed: Any = value
    if isinstance(value, str):
        changed = _ABSOLUTE.sub(r"…/\g<name>", value)
    elif isinstance(value, dict):
        changed = {key: shareable(inner) for key, inner in value.items()}
    elif isinstance(value, list | tuple):
        changed = [shareable(inner) for inner in value]
    return changed


def _counted(folder: Path) -> list[Path]:
    """The files that decide picks: all but hidden ones and what describes them."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name not in DESCRIPTIONS and not path.name.startswith(".")
    )
