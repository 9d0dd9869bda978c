"""CinePile: the parquet files of one of its configs, `v1` or `v2`.

Both configs ask nearly the same questions of the same videos, so files of both in one source are refused. The videos
are YouTube clips, found by id under the names in use: `<id>.mp4`, `<id>/<id>.mp4` and `<movie>_watch?v=<id>.mp4`.
Rows have no id: theirs is `<YouTube id>_<hash of the question>`. Subtitles are not read.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from refocus.core.errors import UsageError
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.adapters.fields import answer_by_index, answer_text, optional_text
from refocus.qa.raw_question import BadRow, RawQuestion, normalised, options_of, text_of
from refocus.qa.records import Reject
from refocus.qa.video_finder import checked

FILES = "the parquet files of one config: v2/train-*.parquet, or v1/train-*.parquet"
COLUMNS = ("yt_clip_link", "question", "choices", "answer_key", "answer_key_position")
MORE_COLUMNS = ("videoID", "movie_name", "question_category", "hard_split", "visual_reliance")
GROUPS = ("hard_split", "visual_reliance")  # texts "True" and "False"
_VERSION = re.compile(r"(?<![a-z0-9])v([12])(?![a-z0-9])")
_SPLIT = re.compile(r"(?<![a-z])(train|test)(?![a-z])")
_PIECE = re.compile(r"(train|test)-(\d+)-of-(\d+)")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


class CinepileOptions(AdapterOptions):
    """Which of the configs the files are, where their paths do not say."""

    config: Literal["v1", "v2"] | None = Field(None, description="config of the files; null: as their paths say")


OPTION_TYPE = CinepileOptions


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row.

    Raises:
        UsageError: the files are of both configs, or the option names another one than their paths.
        RefocusError: a file is missing or not of its kind.
    """
    settings = CinepileOptions.model_validate(dict(options))
    config = one_config(paths, settings.config)
    for path in paths:
        parse = partial(_raw_question, split=settings.split or _split(path), config=config)
        yield from each(path, rows_of(path, COLUMNS, MORE_COLUMNS), parse)


def one_config(paths: Sequence[Path], option: str | None) -> str | None:
    """The config that all files belong to; None if nothing says.

    A path says it by a part `v1` or `v2`. Pieces of one split that occur twice, or that do not count to the same
    number, are of two configs as well.

    Raises:
        UsageError: they belong to two.
    """
    fix = "CinePile's v1 and v2 ask nearly the same questions: give the files of one"
    named = {path: found for path in paths if (found := _config(path))}
    if option:
        named[Path(f"the option config: {option}")] = option
    if len(set(named.values())) > 1:
        first = {config: path for path, config in named.items()}
        raise UsageError(f"{first['v1']} is of config v1 and {first['v2']} of v2; {fix}")
    pieces = [(piece[1], piece[2], piece[3]) for path in paths if (piece := _PIECE.match(path.stem))]
    totals = {(split, total) for split, _, total in pieces}
    for split, count in Counter(split for split, _ in totals).items():
        if count > 1:
            raise UsageError(f"the {split} files are of sets of {_list(t for s, t in totals if s == split)}; {fix}")
    for (split, number, total), count in Counter(pieces).items():
        if count > 1:
            raise UsageError(f"{split}-{number}-of-{total}.parquet is there {count} times; {fix}")
    return next(iter(named.values()), None)


def _raw_question(where: str, number: int, row: Any, split: str, config: str | None) -> RawQuestion:
    video = youtube_id(row)
    question, options = text_of(row, "question"), options_of(row, "choices")
    answer = answer_by_index(row, "answer_key_position", options)
    flags = [f"config:{config}"] * bool(config)
    flags += [f"{name}:{row[name]}" for name in GROUPS if row.get(name) is not None]
    key = answer_text(row, "answer_key")
    if normalised(key) != normalised(options[answer]):
        if normalised(key) in map(normalised, options):
            detail = f"answer_key: {key!r} is not choice {answer}, {options[answer]!r}"
            raise BadRow("answer_mismatch", detail)
        flags.append("answer_key_differs")
    return RawQuestion(
        where=where,
        source_id=f"{video}_{hashlib.sha256(question.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}",
        videos=_places(video, row.get("movie_name")),
        question=question,
        options=options,
        answer_index=answer,
        split=split,
        category=optional_text(row, "question_category"),
        flags=tuple(flags),
    )


def youtube_id(row: Mapping[str, Any]) -> str:
    """The video id of a row's link, or its `videoID`, which only some copies have.

    Raises:
        BadRow: neither is a YouTube id.
    """
    link, given = row.get("yt_clip_link"), row.get("videoID")
    found = _from_link(link) if isinstance(link, str) else given
    if not isinstance(found, str) or not _YOUTUBE_ID.fullmatch(found):
        if link is None:
            raise BadRow("missing_field", "yt_clip_link: missing")
        raise BadRow("bad_field", f"yt_clip_link: {link!r} names no YouTube video")
    return found


def _from_link(link: str) -> str:
    """`https://www.youtube.com/watch?v=<id>&t=3s`, `https://youtu.be/<id>` → the id, empty if there is none."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return ""
    return parse_qs(parts.query).get("v", [parts.path.rsplit("/", 1)[-1]])[0]


def _places(video: str, movie: Any) -> tuple[str, ...]:
    names = [f"{video}.mp4", f"{video}/{video}.mp4"]
    if isinstance(movie, str):
        notebook = f"{movie}_watch?v={video}.mp4"
        try:
            checked(notebook)
            names.append(notebook)
        except ValueError:  # a video called "../" is looked for by its id alone
            pass
    return tuple(f"{folder}{name}" for folder in ("", "videos/") for name in names)


def _config(path: Path) -> str | None:
    """The config a file's name or one of its two folders names, the nearest first: `v2/train/0000.parquet` → v2."""
    for part in (path.stem, path.parent.name, path.parent.parent.name):
        if found := _VERSION.search(part.lower()):
            return f"v{found[1]}"
    return None


def _split(path: Path) -> str:
    """`v2/train-00000-of-00003.parquet`, `v2/train/0000.parquet` → train."""
    found = _SPLIT.search(path.stem.lower()) or _SPLIT.search(path.parent.name.lower())
    return found[1] if found else "train"


def _list(values: Any) -> str:
    return " and ".join(str(int(value)) for value in sorted(values))
