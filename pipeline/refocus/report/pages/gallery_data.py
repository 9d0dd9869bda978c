"""The gallery as plain values for its script: clips with their pictures, questions, picks, answers, margins.

Keys are those that `templates/gallery.js` reads; numbers are rounded to what a picture can show.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scipy.special import softmax

from refocus.config.selectors import kind_of, of_run, run_of
from refocus.core.errors import RefocusError
from refocus.core.progress import bar
from refocus.evaluate.answers import Answer
from refocus.frames.index import ClipFrames
from refocus.qa.records import Question
from refocus.report import style
from refocus.report.pages.gallery_files import GalleryFiles, SubsetMargin
from refocus.report.pages.thumbnails import COLUMNS, SIDE, evenly, write_sheet
from refocus.report.selector_names import readable
from refocus.report.study import Study
from refocus.select.picks import Selection

SHEETS = "frames"  # folder of the pictures, beside the page
Plain = dict[str, Any]


@dataclass(frozen=True)
class GalleryData:
    """`values` for the script; `unreadable`: clips whose pictures are missing, and why."""

    values: Plain
    unreadable: tuple[str, ...]


def write_gallery_data(study: Study, files: GalleryFiles, out: Path) -> GalleryData:
    """Writes the sheets of pictures into a folder of `out` and says what the gallery shows."""
    return _Gallery(study, files).write(out)


class _Gallery:
    def __init__(self, study: Study, files: GalleryFiles):
        self.study, self.files = study, files
        self.frames = study.root.main_n_frames
        self.selectors = list(files.picks)
        self.policies = list(files.likelihoods)

    def write(self, out: Path) -> GalleryData:
        benchmarks = [self._benchmark_question(question) for question in self.files.questions]
        training = [self._training_question(question) for question in self.files.training.questions]
        clips, unreadable = self._clips(out, [*benchmarks, *training])
        values = {
            "frames": self.frames,
            "tau": self.study.root.filter.tau,
            "lmms": self.study.results.lmms,
            "selectors": [_named(name) for name in self.selectors],
            "policies": [_named(name) for name in self.policies],
            "runs": [run for run in self.study.root.use.runs if run in self._runs],
            "clips": clips,
            "sheet": {"side": SIDE, "columns": COLUMNS},
            "questions": [*benchmarks, *training],
        }
        return GalleryData(values, tuple(unreadable))

    @cached_property
    def _runs(self) -> set[str]:
        """The training runs that any selector or policy belongs to."""
        return {run_of(name) for name in [*self.selectors, *self.policies] if of_run(name)}

    # ---- questions

    def _question(self, question: Question, spans: Sequence[tuple[float, float]]) -> Plain:
        return {
            "id": question.qa_id,
            "clip": question.clip_id,
            "dataset": question.dataset,
            "kind": question.category,
            "question": question.question,
            "options": list(question.options),
            "right": question.answer_index,
            "answer": question.answer_text,
            "video": question.video_path,
            "part": [question.start_s, question.end_s],
            "source": question.source_id,
            "flags": list(question.flags),
            "evidence": [[round(start, 3), round(end, 3)] for start, end in spans],
        }

    def _benchmark_question(self, question: Question) -> Plain:
        return {
            **self._question(question, self.files.evidence.of(question)),
            "picks": [self._picked(self.files.picks[name].get(question.qa_id), question) for name in self.selectors],
            "answers": [self._answers(name, question) for name in self.selectors],
            "likelihood": [self._likelihood(name, question) for name in self.policies],
        }

    def _training_question(self, question: Question) -> Plain:
        training = self.files.training
        variance = training.variances.get(question.qa_id)
        subsets = sorted(training.margins.get(question.qa_id, ()), key=lambda one: one.subset)
        return {
            **self._question(question, training.evidence.of(question)),
            "margins": [_subset(one) for one in subsets],
            "variance": None if variance is None else round(variance, 4),
            "kept": question.qa_id in training.kept,
        }

    def _picked(self, selection: Selection | None, question: Question) -> Plain | None:
        """Frames in time and when each was picked; times only where nothing else tells them: of frames that are not
        among those that are kept, or of a clip without an index."""
        if selection is None:
            return None
        found: Plain = {"frames": list(selection.frame_indices), "flags": list(selection.flags)}
        if selection.pick_order:
            found["rank"] = [selection.pick_order.index(frame) + 1 for frame in selection.frame_indices]
        if not selection.frame_indices or question.clip_id not in self.files.store:
            found["times"] = [round(time, 3) for time in selection.timestamps_s]
        return found

    def _answers(self, selector: str, question: Question) -> list[list | None]:
        """By LMM: the option, whether it is right, its share in percent; None where the LMM was not asked."""
        results = self.study.results
        made = (results.answer(lmm, selector, question.dataset, self.frames, question.qa_id) for lmm in results.lmms)
        return [_answer(answer) if answer and answer.answered else None for answer in made]

    def _likelihood(self, policy: str, question: Question) -> list[float] | None:
        found = self.files.likelihoods[policy].get(question.qa_id)
        return None if found is None else [round(100 * float(share), 1) for share in found.frequency]

    # ---- clips

    def _clips(self, out: Path, questions: Iterable[Plain]) -> tuple[dict[str, Plain], list[str]]:
        """Every clip of the questions: when its frames are shown, and which of them have pictures."""
        needed: dict[str, set[int]] = {}
        for question in questions:
            needed.setdefault(question["clip"], set()).update(_pictured(question))
        clips: dict[str, Plain] = {}
        unreadable = []
        for number, (clip, frames) in enumerate(bar(needed.items(), desc="pictures", unit="clip")):
            clips[clip] = {"sheet": "", "times": [], "pictures": [], "strip": [], "why": ""}
            try:
                record = self.files.store.record(clip)
                clips[clip]["times"] = [round(time, 3) for time in record.timestamps_s]
                clips[clip] |= self._pictures(out, f"{number:05d}.webp", record, frames)
            except RefocusError as error:
                clips[clip]["why"] = str(error)
                unreadable.append(str(error))
        return clips, unreadable

    def _pictures(self, out: Path, name: str, record: ClipFrames, frames: set[int]) -> Plain:
        if not record.n_frames:
            raise RefocusError(f"clip {record.clip_id} has no frames: {record.error}")
        strip = evenly(record.n_frames)
        shown = sorted({*strip, *(frame for frame in frames if frame < record.n_frames)})
        write_sheet(out / SHEETS / name, self.files.store, record.clip_id, shown)
        return {"sheet": f"{SHEETS}/{name}", "pictures": shown, "strip": strip}


def _named(name: str) -> Plain:
    """A selector as it is spelled and for readers; the training run that it belongs to is shown apart."""
    kind = kind_of(name)
    run = run_of(name) if of_run(name) else ""
    label = readable([kind if run else name])[0]
    return {
        "name": name,
        "label": label,
        "kind": kind,
        "run": run,
        "colour": style.KIND_COLOURS.get(kind, style.ORANGE),
    }


def _answer(answer: Answer) -> list:
    share = round(100 * float(softmax(answer.logits)[answer.prediction])) if answer.logits else None
    return [answer.prediction, int(answer.correct), share]


def _subset(one: SubsetMargin) -> Plain:
    margin = None if one.margin is None else round(one.margin, 4)
    return {"subset": one.subset, "frames": list(one.frames), "margin": margin}


def _pictured(question: Mapping[str, Any]) -> set[int]:
    """The frames that are shown of a question: all picks, or those of the subsets of highest and lowest margin."""
    found = {frame for picked in question.get("picks", ()) if picked for frame in picked["frames"]}
    known = [one for one in question.get("margins", ()) if one["margin"] is not None]
    for ends in (max, min) if known else ():
        found.update(ends(known, key=lambda one: one["margin"])["frames"])
    return found
