"""What made a trained policy, in `provenance.json` beside its weights: enough to make it again, and to tell whether
the files are still those that were made.

Names of folders on the machine that trained it are cut to their last part: the file is made to be shared.
"""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from refocus.core.checksums import CARD, PROVENANCE, SUMS, check_sums, noted, summed
from refocus.core.errors import UsageError
from refocus.core.files import file_digest, write_json
from refocus.core.model_folder import CONFIG, WEIGHTS, read_json

T = TypeVar("T")
# A path from the root or a home folder, at the beginning of a word or behind a quote, a bracket or an equals sign.
_ABSOLUTE = re.compile(r"""(?<![^\s'"=,(\[{])(?:~[\w-]*)?(?:/[^/\s'"=,)\]}]+)*/(?P<name>[^/\s'"=,)\]}]+)""")


class _Record(BaseModel):
    """Plain values; keys that a later version adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class UsedModel(_Record):
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
    fingerprints: 12 hex digits of what the run read. sums: SHA-256 of the folder's SHA256SUMS, which ties this to its
    files.
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
    base: UsedModel
    reward_model: UsedModel
    data: tuple[DataSet, ...]
    left_out: dict[str, int]
    filter: Filtered | None
    validation: Validated | None
    fingerprints: dict[str, Any]
    sums: str = ""

    @property
    def is_synthetic(self) -> bool:
        """Whether all it learned from is the synthetic world."""
        return all(data.synthetic for data in self.data)


def write_provenance(folder: Path, made: Provenance) -> None:
    """Writes it into a policy folder whose other files are there, with their digests."""
    made = made.model_copy(update={"sums": file_digest(folder / SUMS)})
    write_json(folder / PROVENANCE, made.model_dump(mode="json"))


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
        UsageError: nothing describes the weights as they are, or there are files that training did not write.
        RefocusError: a file is missing, or is not the one that was written.
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
    if missing := [name for name in (CARD, SUMS) if not (folder / name).is_file()]:
        raise UsageError(f"{folder} is not complete: it lacks {' and '.join(missing)}")
    check_sums(folder)
    if WEIGHTS not in noted(folder) or file_digest(folder / SUMS) != made.sums:
        raise UsageError(
            f"{folder}: its files were written again since training described them, so {CARD} and {PROVENANCE} may not "
            "be true of them"
        )
    if added := sorted({path.name for path in summed(folder)} - set(noted(folder))):
        raise UsageError(f"{folder}: {', '.join(added)}: no file of training's; take it away")
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
