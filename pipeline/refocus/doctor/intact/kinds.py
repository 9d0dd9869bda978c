"""Which kind every file of a results folder is of, by the map of the folder, and what its bytes are compared with."""

import functools
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from refocus.core import results_folder as place
from refocus.core.results_folder import ROOT


class How(Enum):
    """What a kind of file is compared with, in words."""

    TABLE = "checksums in each file"
    INDEX = "checksums in each file, and the shards that they name"
    SHARD = "checksums of every clip and frame"
    SOURCES = "the shards beside them"
    MODEL = "SHA256SUMS of each folder"
    CHECKPOINTS = "digests in state.json"
    LOG = "what the newest checkpoint noted"
    VIDEO = "digests in the indexes of their frames"
    PICTURE = "checksums of PNG"
    NOTHING = "nothing but what jobs noted of their inputs"


@dataclass(frozen=True)
class Kind:
    """A row of the summary.

    patterns: as `refocus.core.results_folder` writes them; `**` stands for any number of parts. mend: what makes such a
    file again. depth: how many parts of its path name the folder that is checked as one; None: each file by itself.
    """

    name: str
    how: How
    patterns: tuple[str, ...]
    mend: str = "delete it and run again"
    depth: int | None = None

    def matches(self, path: PurePath) -> bool:
        """Whether a path below the results folder is of this kind."""
        return any(_pattern(pattern).fullmatch(path.as_posix()) for pattern in self.patterns)


RETRAIN = "delete it and run again: it is written anew from the checkpoint, without training"
KINDS = (
    Kind(
        "questions and clips",
        How.TABLE,
        (
            *(place.QUESTIONS, place.REJECTS, place.CLIPS, place.EVIDENCE, place.SHARD_QUESTIONS, place.SHARD_CLIPS),
            *(place.DUPLICATES, place.LEAKS, f"{place.WORLD}/truth/{{benchmark}}.parquet"),
        ),
    ),
    Kind(
        "shards of clips",
        How.TABLE,
        (place.KEPT_SHARDS,),
        "delete it and run again; clips that were added after the first run may come into other shards",
    ),
    Kind("indexes of frames", How.INDEX, (place.INDEX,), "delete it and run again: frames that are whole are kept"),
    Kind(
        "frames",
        How.SHARD,
        (f"{place.KEPT_FRAMES}/{{shard}}.tar",),
        "delete the index of this shard in frames/ and run again: what is whole is kept, the rest decoded anew",
    ),
    Kind(
        "sources of frames",
        How.SOURCES,
        (f"{place.KEPT_FRAMES}/{{shard}}.sources.json",),
        "delete it; until decode makes its shard again, other data sets copy nothing from there",
    ),
    Kind("margins", How.TABLE, (place.MARGINS, place.SKIPPED)),
    Kind(
        "margins by clip",
        How.TABLE,
        (f"{place.KEPT_MARGINS}/{{shard}}/{{clip}}.parquet",),
        "delete it: its clip is scored anew when its shard is",
    ),
    Kind("variances and pairs", How.TABLE, (place.VARIANCE, place.PAIRS)),
    Kind("scores of frames", How.TABLE, (place.EMBEDDINGS, place.CERTAINTY)),
    Kind("selections", How.TABLE, (place.SELECTIONS,)),
    Kind("likelihoods", How.TABLE, (place.LIKELIHOOD, place.INITIAL_LIKELIHOOD)),
    Kind("answers", How.TABLE, (place.ANSWERS, place.BIN_ANSWERS)),
    Kind("events of TensorBoard", How.NOTHING, (f"{place.RUN}/tensorboard/**",)),
    Kind("policies", How.MODEL, (f"{place.POLICY}/{{file}}",), RETRAIN, depth=3),
    Kind("tiny models", How.MODEL, (place.ASSET,), "delete its folder and run `make assets`", depth=2),
    Kind(
        "checkpoints",
        How.CHECKPOINTS,
        (f"{place.KEPT_CHECKPOINTS}/{{questions}}/**",),
        "delete the folder of the checkpoint and run again: training goes on from the one before it",
        depth=4,
    ),
    Kind("logs of training", How.LOG, (place.METRICS, place.GROUPS), RETRAIN),
    Kind(
        "videos of the world",
        How.VIDEO,
        (f"{place.WORLD}/**.mp4", f"{place.NIAH}/**.mp4"),
        "delete it and run with `--forcerun make_world`: it is rendered as it was",
    ),
    Kind("other files of the world", How.NOTHING, (f"{place.WORLD}/**", f"{place.NIAH}/**")),
    Kind("pictures", How.PICTURE, (place.FIGURE.fill(suffix="png"), place.CURVES)),
    Kind(
        "tables and figures as text",
        How.NOTHING,
        (place.FIGURE, place.TABLE, place.CURVES.replace(".png", ".{suffix}"), place.SENSITIVITY_CSV),
    ),
    Kind(
        "summaries and costs",
        How.NOTHING,
        (
            *(place.DUPLICATES_SUMMARY, place.LEAKS_SUMMARY, place.FILTER_SUMMARY, place.SELECTION_COST),
            *(place.SENSITIVITY_MD, place.ASSETS_MANIFEST),
        ),
    ),
    Kind("pages of the report", How.NOTHING, (f"{place.REPORT}/**",)),
    Kind("logs and times of jobs", How.NOTHING, (f"{place.LOGS}/**", f"{place.BENCHMARKS}/**")),
)


def kind_of(path: PurePath) -> Kind | None:
    """The kind of a file, by its path below the results folder; None for one that no stage writes."""
    return next((kind for kind in KINDS if kind.matches(path)), None)


def names(pattern: str, path: PurePath) -> dict[str, str]:
    """What the wildcards of a pattern stand for in a path below the results folder."""
    found = _pattern(pattern).fullmatch(path.as_posix())
    return found.groupdict() if found else {}


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{\w+\}|\*\*)", pattern.removeprefix(ROOT))
    return re.compile(
        "".join(
            ".+" if piece == "**" else f"(?P<{piece[1:-1]}>[^/]+)" if piece.startswith("{") else re.escape(piece)
            for piece in pieces
        )
    )
