"""Vectors of frames and questions, one table per shard: what all similarity selectors and numbers of frames share.

One row per vector, clip by clip: first the clip's frames in time, then each of its questions, alone and with each
option behind it. float16: what it rounds is far smaller than the differences between cosines.

t frames · o options · d width of the vectors
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import write_table
from refocus.qa.records import read_columns
from refocus.select.cost import Cost, with_cost

TABLES = 2  # held in memory at once; one of 64 clips of 512 frames is 75 MB with SigLIP so400m


@dataclass(frozen=True)
class QuestionEmbeddings:
    """Unit vectors of a question's texts.

    question: (d,). options: (o, d), the question with each option behind it. cut: for the question and each of these,
    whether the text was longer than the encoder reads.
    """

    question: np.ndarray
    options: np.ndarray
    cut: tuple[bool, ...]

    def texts(self, with_options: bool) -> np.ndarray:
        """(n, d): the question alone, or with each option; an open question is alone either way."""
        return self.options if with_options and len(self.options) else self.question[None]


@dataclass(frozen=True)
class ClipEmbeddings:
    """Unit vectors of a clip's frames, (t, d), and of its questions' texts, by qa_id."""

    frames: np.ndarray
    questions: Mapping[str, QuestionEmbeddings]


def write_embeddings(path: Path, clips: Mapping[str, ClipEmbeddings], cost: Cost, settings: Mapping[str, Any]) -> None:
    """Writes the clips of one shard: clip_id, qa_id (of a text), option (of a text with one), cut, embedding."""
    rows = [row for clip_id, clip in clips.items() for row in _rows(clip_id, clip)]
    vectors = [part for clip in clips.values() for part in _vectors(clip)]
    width = vectors[0].shape[1] if vectors else 1
    flat = np.concatenate(vectors).astype(np.float16).ravel() if vectors else np.zeros(0, np.float16)
    clip_ids, qa_ids, options, cut = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = {
        "clip_id": pa.array(clip_ids, pa.string()),
        "qa_id": pa.array(qa_ids, pa.string()),
        "option": pa.array(options, pa.int16()),
        "cut": pa.array(cut, pa.bool_()),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(flat), width),
    }
    write_table(path, with_cost(pa.table(columns), cost), "embed", settings)


class EmbeddingStore:
    """Reads clips from tables of embeddings; a table's vectors are read when one of its clips is asked for."""

    def __init__(self, places: Mapping[str, tuple[Path, slice]]) -> None:
        self._places = places
        self._table = functools.lru_cache(maxsize=TABLES)(_read)

    @classmethod
    def open(cls, paths: Iterable[Path]) -> "EmbeddingStore":
        """Reads which clips the tables hold.

        Raises:
            RefocusError: a table is missing or is none.
        """
        places: dict[str, tuple[Path, slice]] = {}
        for path in paths:
            owners = read_columns(path, ["clip_id"])["clip_id"].to_pylist()
            places |= {owners[run.start]: (path, run) for run in _runs(owners)}
        return cls(places)

    def clip(self, clip_id: str) -> ClipEmbeddings:
        """The vectors of one clip.

        Raises:
            RefocusError: no table holds them.
        """
        if clip_id not in self._places:
            raise RefocusError(f"clip {clip_id} is in no table of embeddings; run `refocus embed` on its shard")
        path, rows = self._places[clip_id]
        qa_ids, cut, vectors = self._table(path)
        found = vectors[rows].astype(np.float32)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        owners, flags = qa_ids[rows], cut[rows]
        frames, *asked = [run for run in _runs(owners)]
        questions = {
            owners[run.start]: QuestionEmbeddings(found[run][0], found[run][1:], tuple(flags[run])) for run in asked
        }
        return ClipEmbeddings(found[frames], questions)


def _rows(clip_id: str, clip: ClipEmbeddings) -> Iterator[tuple[str, str | None, int | None, bool]]:
    """The columns beside each vector."""
    yield from ((clip_id, None, None, False) for _ in clip.frames)
    for qa_id, question in clip.questions.items():
        yield from ((clip_id, qa_id, place - 1 if place else None, cut) for place, cut in enumerate(question.cut))


def _vectors(clip: ClipEmbeddings) -> Iterator[np.ndarray]:
    """The vectors in the same order."""
    yield clip.frames
    for question in clip.questions.values():
        yield question.question[None]
        yield question.options


def _runs(owners: Sequence[str | None]) -> list[slice]:
    """Stretches of equal neighbours."""
    changes = [place for place in range(1, len(owners)) if owners[place] != owners[place - 1]]
    return [slice(*ends) for ends in itertools.pairwise([0, *changes, len(owners)])] if owners else []


def _read(path: Path) -> tuple[list[str | None], list[bool], np.ndarray]:
    table = parquet.read_table(path).combine_chunks()
    column = table["embedding"].chunk(0) if table.num_rows else table["embedding"]
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(table.num_rows, -1)
    return table["qa_id"].to_pylist(), table["cut"].to_pylist(), vectors
