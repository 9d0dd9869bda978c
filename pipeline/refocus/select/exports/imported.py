"""Picks of other programs as rows of our tables: each frame by its number in the file and its time there."""

import bisect
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.core.errors import RefocusError
from refocus.core.progress import bar
from refocus.frames.clip_metadata import ClipMetadata
from refocus.qa.records import Question, by_clip
from refocus.qa.video_root import VideoRoot
from refocus.select.exports.picked import Asked, ForeignPicks, named
from refocus.select.picks import Selection, VideoFile
from refocus.select.selections import NO_FRAMES
from refocus.select.video_files import known_file, times_of
from refocus.video.probe import VideoError

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

log = logging.getLogger(__name__)

SAME_S = 0.0006  # times that programs wrote with three digits
BEHIND_S = 1.0  # a time so far from every frame is no time of this video


def imported_rows(
    asked: Asked, picks: Mapping[str, ForeignPicks], store: "FrameStore", videos: Path | None
) -> dict[str, Selection]:
    """A row per question, in the order of the questions.

    A frame that is picked twice is one frame. A question whose clip has no stored frames gets none, and the flag
    `no_frames`.

    Args:
        videos: the folder of the videos; None is enough where every pick is one of the stored frames.
    Raises:
        RefocusError: a question has no picks, or a pick is no frame of its video, or the video was another one.
    """
    clips = by_clip(asked.questions)
    stored = {clip_id: store.metadata(clip_id) if clip_id in store else None for clip_id in clips}
    missing = [q.source_id for q in asked.questions if stored[q.clip_id] and not len(picks.get(q.qa_id, ()))]
    if missing:
        raise RefocusError(f"{named(missing)} of {asked.benchmark} have no picks; nothing is filled in for them")
    found: dict[str, Selection] = {}
    repeated = 0
    for clip_id, questions in bar(clips.items(), desc="import", unit="clip"):
        known = stored[clip_id]
        if known is None:
            nothing = Selection((), (), (), flags=(NO_FRAMES,), file=VideoFile(questions[0].video_path))
            found |= {question.qa_id: nothing for question in questions}
            continue
        video = _ImportedVideo(known, asked, videos)
        for question in questions:
            found[question.qa_id] = video.selection(question, picks[question.qa_id])
            repeated += len(picks[question.qa_id]) - len(found[question.qa_id].frames_indices)
    if repeated:
        log.warning("%d picks repeat a frame of their question; each frame is taken once", repeated)
    return {question.qa_id: found[question.qa_id] for question in asked.questions}


class _ImportedVideo:
    """One clip's video file: its frames by number, as far as the stored frames tell, else by the file."""

    def __init__(self, known: ClipMetadata, asked: Asked, videos: Path | None):
        self.known = known
        self.kept = {number: place for place, number in enumerate(known.source_frames)}
        self.times_s: list[float] | None = None  # when every frame of the file is shown
        self.why_not = "name the folder of the videos with --videos"
        if videos is not None:
            try:
                self.times_s = times_of(VideoRoot(videos, asked.table).file(known.video_path), known)
            except VideoError as error:
                self.why_not = str(error)
                log.warning("%s; how many frames it has is not known", error)
        self.file = known_file(known.video_path, known, None if self.times_s is None else len(self.times_s))

    def selection(self, question: Question, picks: ForeignPicks) -> Selection:
        """The picks as a row."""
        self._refuse_another(question, picks)
        numbers = picks.frames
        if numbers is None:
            numbers = tuple(self._shown_at(question, time_s) for time_s in picks.seconds)
        order = tuple(dict.fromkeys(numbers))
        frames = tuple(sorted(order))
        inside = all(number in self.kept for number in frames)
        score = dict(zip(reversed(numbers), reversed(picks.score), strict=True)) if picks.score else {}
        return Selection(
            frame_indices=tuple(self.kept[number] for number in frames) if inside else (),
            timestamps_s=tuple(self._time_s(question, number) for number in frames),
            pick_order=tuple(self.kept[number] for number in order) if inside else (),
            score=tuple(score[number] for number in frames) if score else (),
            frames_indices=frames,
            file=self.file,
        )

    def _time_s(self, question: Question, number: int) -> float:
        if number in self.kept:
            return self.known.timestamps_s[self.kept[number]]
        times = self._every_time()
        if number >= len(times):
            raise RefocusError(
                f"question {question.source_id}: frame {number} of {self.file.video} is picked, which has "
                f"{len(times)}; another edition of the video, or no frame numbers?"
            )
        return times[number]

    def _shown_at(self, question: Question, time_s: float) -> int:
        """The frame whose time is nearest."""
        place = _nearest(self.known.timestamps_s, time_s)
        if abs(self.known.timestamps_s[place] - time_s) <= SAME_S:
            return self.known.source_frames[place]
        times = self._every_time()
        number = _nearest(times, time_s)
        if abs(times[number] - time_s) > max(BEHIND_S, 2 / (self.known.fps or 1)):
            raise RefocusError(
                f"question {question.source_id}: {time_s:g} s is picked of {self.file.video}, whose last frame is "
                f"shown at {times[-1]:.3f} s; another edition of the video, or no seconds?"
            )
        return number

    def _every_time(self) -> list[float]:
        if self.times_s is None:
            raise RefocusError(f"{self.file.video}: some picks are not among its stored frames: {self.why_not}")
        return self.times_s

    def _refuse_another(self, question: Question, picks: ForeignPicks) -> None:
        where = f"question {question.source_id}: the picks were made on another edition of {self.file.video}"
        if picks.video_digest not in (None, self.file.video_digest):
            raise RefocusError(f"{where} (digest {picks.video_digest}, here {self.file.video_digest})")
        counts = picks.total_num_frames, self.file.total_num_frames
        if None not in counts and counts[0] != counts[1]:
            raise RefocusError(f"{where} ({counts[0]} frames, here {counts[1]})")


def _nearest(times_s: Sequence[float], time_s: float) -> int:
    """The place of the time that is nearest, of increasing times."""
    after = bisect.bisect_left(times_s, time_s)
    around = [place for place in (after - 1, after) if 0 <= place < len(times_s)]
    return min(around, key=lambda place: abs(times_s[place] - time_s))
