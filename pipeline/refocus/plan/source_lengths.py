"""What is known of a data set or benchmark: its questions per clip and frames per clip, from the best source there is.

Questions and clips come from the tables of `refocus ingest`, else from `plan.sources`. A clip's frames come from the
index of its shard; else its length comes from its own bounds, from the headers of some videos, or from `plan.sources`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from refocus.config.decode import DecodeSettings
from refocus.config.niah import NiahSettings
from refocus.config.plan import PlanSettings, SourceGuess
from refocus.config.root import Root
from refocus.core import results_folder
from refocus.lmm.prompts import LETTERS, Prompt
from refocus.plan.prompt_tokens import PromptTokens
from refocus.plan.reward_layout import QuestionGroup
from refocus.qa.records import CLIP_SCHEMA, read_columns
from refocus.video.frame_plan import EPSILON_S
from refocus.video.length import header_duration
from refocus.video.probe import VideoError, opened

SAMPLE = 500
NEEDLE_CHARACTERS = 60  # of a question about a needle, with its four options
INDEX, BOUNDS, HEADERS, ASSUMED, UNKNOWN = "index", "bounds", "headers", "assumed", "unknown"


@dataclass(frozen=True)
class SourceEstimate:
    """One data set or benchmark.

    questions: all; groups: clips by their kept frames with the questions that can be scored. seconds: of video, frames:
    to be kept. known_from: how many clips' frames are known from where. ingested: whether its tables exist.
    """

    name: str
    questions: float
    clips: float
    groups: tuple[QuestionGroup, ...]
    seconds: float
    frames: float
    stored_bytes: float | None
    known_from: dict[str, int]
    ingested: bool

    @property
    def scored(self) -> float:
        """Questions with options to compare, about clips that have frames."""
        return sum(group.questions for group in self.groups)


@dataclass(frozen=True)
class Lengths:
    """Per clip: kept frames, seconds, and where that is known from."""

    frames: np.ndarray  # (c,) int
    seconds: np.ndarray  # (c,) float
    known_from: list[str]
    stored_bytes: float | None


def read_source(root: Root, name: str, settings: PlanSettings, tokens: PromptTokens) -> SourceEstimate | None:
    """What is known of a source; None if nothing is: no tables, no `plan.sources`, nothing to be drawn."""
    if all(file.at(root.results, dataset=name).is_file() for file in (results_folder.QUESTIONS, results_folder.CLIPS)):
        return _ingested(root, name, settings, tokens)
    guess = guess_of(root, name, settings)
    return _assumed(root, name, guess, tokens) if guess else None


def guess_of(root: Root, name: str, settings: PlanSettings) -> SourceGuess | None:
    """What is assumed of a source that is not ingested: its entry in `plan.sources`, or what `niah` will draw."""
    drawn = root.drawn_from(name)
    if name in settings.sources or not isinstance(drawn, NiahSettings):
        return settings.sources.get(name)
    videos = drawn.depths * drawn.videos * len(drawn.lengths)
    seconds = tuple(length / root.decode.fps for length in drawn.lengths)
    return SourceGuess(questions=videos, clips=videos, seconds=seconds, characters=NEEDLE_CHARACTERS, note="niah")


def frames_of(seconds: np.ndarray, decode: DecodeSettings) -> np.ndarray:
    """How many times the grid of `refocus.video.frame_plan.grid` has, for many lengths at once."""
    step = np.maximum(1 / decode.fps, seconds / decode.max_frames)
    return np.clip(np.ceil(seconds / step - EPSILON_S), 1, decode.max_frames).astype(np.int64)


def _assumed(root: Root, name: str, guess: SourceGuess, tokens: PromptTokens) -> SourceEstimate:
    seconds = np.array(guess.seconds or [np.inf])
    frames = frames_of(np.minimum(seconds, 1e9), root.decode)
    length = tokens.suffix(guess.characters, guess.options)
    share = 1 / len(seconds)
    whole = QuestionGroup(
        0, guess.clips, guess.questions, guess.questions * length, guess.questions * length * (length + 1) / 2
    )
    groups = [_with_frames(whole * share, count) for count in frames.tolist()]
    return SourceEstimate(
        name=name,
        questions=guess.questions,
        clips=guess.clips,
        groups=tuple(_merged(groups)),
        seconds=guess.clips * float(seconds.mean()) if guess.seconds else 0.0,
        frames=guess.clips * float(frames.mean()),
        stored_bytes=None,
        known_from={ASSUMED if guess.seconds else UNKNOWN: guess.clips},
        ingested=False,
    )


def _ingested(root: Root, name: str, settings: PlanSettings, tokens: PromptTokens) -> SourceEstimate:
    clips = read_columns(results_folder.CLIPS.at(root.results, dataset=name), CLIP_SCHEMA.names)
    asked = read_columns(
        results_folder.QUESTIONS.at(root.results, dataset=name), ["clip_id", "question", "options", "answer_index"]
    )
    lengths = _lengths(root, name, settings, clips)
    options = pc.list_value_length(asked["options"]).to_numpy().astype(np.int64)
    answer = asked["answer_index"].to_numpy()
    usable = (answer >= 0) & (answer < options) & (options >= 2) & (options <= len(LETTERS))
    scale = tokens.scale(list(_sample(asked.filter(pa.array(usable)))))
    s = scale * tokens.suffix(_characters(asked), options)
    clip_row = pc.index_in(asked["clip_id"], clips["clip_id"].combine_chunks()).fill_null(-1).to_numpy()
    usable &= clip_row >= 0
    usable[usable] &= lengths.frames[clip_row[usable]] > 0
    clip_row, s = clip_row[usable], s[usable]
    groups = _grouped(lengths.frames, clip_row, s)
    return SourceEstimate(
        name=name,
        questions=len(asked),
        clips=len(clips),
        groups=tuple(groups),
        seconds=float(lengths.seconds.sum()),
        frames=float(lengths.frames.sum()),
        stored_bytes=lengths.stored_bytes,
        known_from=dict(Counter(lengths.known_from)),
        ingested=True,
    )


def _grouped(frames: np.ndarray, clip_row: np.ndarray, s: np.ndarray) -> Iterator[QuestionGroup]:
    """Clips with questions, by their number of frames."""
    asked = np.bincount(clip_row, minlength=len(frames)) > 0
    mine = frames[clip_row]
    for count in np.unique(frames[asked]).tolist():
        here = s[mine == count]
        pairs = float((here * (here + 1) / 2).sum())
        yield QuestionGroup(count, int((asked & (frames == count)).sum()), len(here), float(here.sum()), pairs)


def _lengths(root: Root, name: str, settings: PlanSettings, clips: pa.Table) -> Lengths:
    """Kept frames and seconds of every clip, each from the best source there is."""
    bounds = [clips[column].to_numpy(zero_copy_only=False).astype(float) for column in ("start_s", "end_s")]
    start, end = np.nan_to_num(bounds[0]), bounds[1]
    seconds = end - start
    known_from = np.where(np.isnan(seconds), "", BOUNDS).astype(object)
    rest = np.flatnonzero(known_from == "")
    probed = _probe(root, name, clips, rest, start, settings.probe)
    if len(probed):
        seconds[rest] = np.resize(probed, len(rest))  # the others are taken to be like those
        known_from[rest] = HEADERS
    elif name in settings.sources and settings.sources[name].seconds:
        seconds[rest] = np.resize(settings.sources[name].seconds, len(rest))
        known_from[rest] = ASSUMED
    else:
        known_from[rest] = UNKNOWN
    known = np.where(np.isnan(seconds), np.inf, seconds)
    frames = frames_of(np.minimum(known, 1e9), root.decode)
    stored = _index(root, name, clips, frames, seconds, known_from)
    return Lengths(frames, np.nan_to_num(seconds), known_from.tolist(), stored)


def _probe(root: Root, name: str, clips: pa.Table, rest: np.ndarray, start: np.ndarray, most: int) -> list[float]:
    """Lengths that the headers of some clips' videos give, in seconds; spread evenly over the clips without bounds."""
    folder = Path(root.path(root.source(name).videos))
    if not most or not len(rest) or not folder.is_dir():
        return []
    found = []
    for place in rest[np.unique(np.linspace(0, len(rest) - 1, min(most, len(rest))).astype(int))].tolist():
        try:
            with opened(folder / clips["video_path"][place].as_py()) as (container, stream):
                seconds = header_duration(container, stream)
        except VideoError:
            continue
        if seconds and seconds > start[place]:
            found.append(seconds - float(start[place]))
    return found


def _index(
    root: Root, name: str, clips: pa.Table, frames: np.ndarray, seconds: np.ndarray, known_from: np.ndarray
) -> float | None:
    """Overwrites what the indexes of decoded shards know; the bytes of their tars where every clip is in one."""
    found, tars = 0, set()
    for shard in range(root.source(name).shards):
        path = results_folder.INDEX.at(root.results, dataset=name, shard=results_folder.shard_name(shard))
        if not path.is_file():
            continue
        table = read_columns(path, ["clip_id", "n_frames", "timestamps", "tar"])
        place = pc.index_in(table["clip_id"], clips["clip_id"].combine_chunks()).fill_null(-1).to_numpy()
        here = place >= 0
        frames[place[here]] = table["n_frames"].to_numpy()[here]
        lasting = [row[-1] - row[0] + 1 / root.decode.fps if row else 0.0 for row in table["timestamps"].to_pylist()]
        seconds[place[here]] = np.array(lasting)[here]
        known_from[place[here]] = INDEX
        found += int(here.sum())
        tars |= {path.parent / tar for tar in table["tar"].unique().to_pylist() if tar}
    whole = found == len(clips) and all(tar.is_file() for tar in tars)
    return float(sum(tar.stat().st_size for tar in tars)) if whole and found else None


def _characters(asked: pa.Table) -> np.ndarray:
    """Characters of every question with its options."""
    flat = asked["options"].combine_chunks()
    parents = pc.list_parent_indices(flat).to_numpy()
    lengths = pc.utf8_length(pc.list_flatten(flat)).to_numpy(zero_copy_only=False)
    inside = np.bincount(parents, weights=lengths, minlength=len(asked))
    return pc.utf8_length(asked["question"]).to_numpy() + inside


def _sample(asked: pa.Table) -> Iterator[Prompt]:
    for place in np.unique(np.linspace(0, len(asked) - 1, min(SAMPLE, len(asked))).astype(int)).tolist():
        yield Prompt(asked["question"][place].as_py(), tuple(asked["options"][place].as_py()))


def _with_frames(group: QuestionGroup, frames: int) -> QuestionGroup:
    return QuestionGroup(frames, group.clips, group.questions, group.tokens, group.pairs)


def _merged(groups: Sequence[QuestionGroup]) -> list[QuestionGroup]:
    """Groups of equal frames as one."""
    sums: dict[int, QuestionGroup] = {}
    for group in groups:
        before = sums.get(group.n_frames, QuestionGroup(group.n_frames, 0, 0, 0, 0))
        sums[group.n_frames] = QuestionGroup(
            group.n_frames,
            before.clips + group.clips,
            before.questions + group.questions,
            before.tokens + group.tokens,
            before.pairs + group.pairs,
        )
    return [sums[count] for count in sorted(sums)]
