"""Whether picks and answers fit the frames that are stored now: the same video, the same frames at the same times."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.results_folder import ANSWERS, INDEX, QUESTIONS, SELECTIONS
from refocus.doctor.intact.kinds import names
from refocus.evaluate.answers import read_answers
from refocus.frames.index import ClipFrames, read_index
from refocus.qa.records import read_columns
from refocus.select.picks import Selection
from refocus.select.selections import read_selections

PICKED = "was picked from other frames than are stored now (question {qa_id})"
ANSWERED = "answers other frames than {selection} has (question {qa_id})"


class BenchmarkFrames:
    """The stored frames of one benchmark's questions.

    Raises:
        RefocusError: its tables cannot be read.
    """

    def __init__(self, results: Path, benchmark: str) -> None:
        table = read_columns(QUESTIONS.at(results, dataset=benchmark), ["qa_id", "clip_id"]).to_pydict()
        self.clip_of = dict(zip(table["qa_id"], table["clip_id"], strict=True))
        folder = INDEX.at(results, dataset=benchmark, shard="x").parent
        self.clips: dict[str, ClipFrames] = {
            row.clip_id: row for index in sorted(folder.glob("*.parquet")) for row in read_index(index)
        }

    def fit(self, qa_id: str, picked: Selection) -> bool:
        """Whether picks are of the clip as it is stored; what is not known of either is not held against it."""
        clip = self.clips.get(self.clip_of.get(qa_id, ""))
        if clip is None or not picked.frame_indices:
            return True
        if max(picked.frame_indices) >= clip.n_frames:
            return False
        digest = picked.file.video_digest if picked.file else None
        return (
            digest in (None, clip.video_digest)
            and list(picked.timestamps_s) == [clip.timestamps_s[frame] for frame in picked.frame_indices]
            and list(picked.frames_indices) in ([], [clip.source_frames[frame] for frame in picked.frame_indices])
        )


def misfits(results: Path, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Selections that do not fit the frames, and answers that do not fit the selections; files that cannot be read are
    left out, as they are damaged anyway."""
    selections: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    answers: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        if where := names(SELECTIONS, Path(file)):
            selections.setdefault(where["benchmark"], []).append((file, tuple(where.values())))
        elif where := names(ANSWERS, Path(file)):
            del where["lmm"]
            answers.setdefault(tuple(where.values()), []).append(file)
    for benchmark, tables in selections.items():
        try:
            frames = BenchmarkFrames(results, benchmark)
        except RefocusError:
            continue
        for file, key in tables:
            yield from _misfits(results, file, frames, answers.get(key, []))


def _misfits(results: Path, file: str, frames: BenchmarkFrames, answers: Sequence[str]) -> Iterator[tuple[str, str]]:
    try:
        picked = read_selections(results / file)
    except RefocusError:
        return
    wrong = next((qa_id for qa_id, row in picked.items() if not frames.fit(qa_id, row)), None)
    if wrong is not None:
        yield file, PICKED.format(qa_id=wrong)
    for other in answers:
        try:
            answered = read_answers(results / other).answers
        except RefocusError:
            continue
        for qa_id, answer in answered.items():
            if qa_id in picked and answer.frame_indices != picked[qa_id].frame_indices:
                yield other, ANSWERED.format(selection=file, qa_id=qa_id)
                break
