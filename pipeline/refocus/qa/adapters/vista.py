"""VISTA-400K, multiple-choice files (`<subset>_mcq.json`): conversations about one video, which is called `image`.

Videos lie at `<subset>/<image>`, unpacked or inside the published tar shards `<subset>/<subset>_<N>.tar`, which are
read in place (`refocus.video.tars`). The wording of the questions is not documented, so the parser takes any form of
options and answers; rows of the open-ended files have no options and are rejected as `no_options`.
`spatialtemporal_niah_qa.json` is misspelt: its folder is `spatiotemporal_niah_qa`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.conversations import raw_questions
from refocus.qa.raw_question import BadRow, RawQuestion, text_of
from refocus.qa.records import Reject

FILES = "temporal_niah_mcq.json and the other *_mcq.json files"
COLUMNS = ("image", "conversations")
SPELLINGS = ("spatiotemporal", "spatialtemporal")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per turn; the category is the subset."""
    for path in paths:
        subsets = _spellings(path.stem)
        videos = partial(_videos, subsets=subsets)
        yield from raw_questions(path, COLUMNS, options.get("split", "train"), videos, category=subsets[0])


def _videos(row: Any, subsets: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = text_of(row, "video" if "image" not in row and "video" in row else "image")
    return (*(f"{subset}/{video}" for subset in subsets), video)


def _spellings(stem: str) -> tuple[str, ...]:
    """A subset's folder, as the others are spelt first."""
    right, wrong = SPELLINGS
    return tuple(dict.fromkeys((stem.replace(wrong, right), stem.replace(right, wrong))))
