"""What the gallery is made from: the sampled questions, and their picks, likelihoods, evidence and margins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from refocus.config.likelihood_runs import likely_benchmarks, likely_runs
from refocus.config.selectors import KINDS, kind_of, slug
from refocus.core.results_folder import (
    CLIPS,
    EVIDENCE,
    INDEX,
    INITIAL_LIKELIHOOD,
    LIKELIHOOD,
    MARGINS,
    PAIRS,
    QUESTIONS,
    ROOT,
    SELECTIONS,
    VARIANCE,
    shard_name,
)
from refocus.frames.frame_store import FrameStore
from refocus.qa.evidence import Evidence, read_evidence
from refocus.qa.loose_values import Span
from refocus.qa.records import Question, read_clips, read_columns, read_questions
from refocus.report.pages.sample import Candidate, GallerySample, sample
from refocus.report.recall_set import read_truth
from refocus.report.study import Study
from refocus.select.likelihood import Likelihood, read_likelihoods
from refocus.select.picks import Selection
from refocus.select.selections import read_selections


@dataclass(frozen=True)
class SubsetMargin:
    """One of the 16 subsets of a training question: the kept frames it shows, and the margin (Eq. 5) if finite."""

    subset: int
    frames: tuple[int, ...]
    margin: float | None


@dataclass(frozen=True)
class TrainingFiles:
    """Training questions; margins: the subsets of each; variances: None where not finite; kept: by the filter."""

    questions: Sequence[Question] = ()
    margins: Mapping[str, Sequence[SubsetMargin]] = field(default_factory=dict)
    variances: Mapping[str, float | None] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    evidence: Evidence = field(default_factory=lambda: Evidence({}))


@dataclass(frozen=True)
class GalleryFiles:
    """The gallery's questions and what belongs to them. picks, likelihoods: by selector and qa_id."""

    questions: Sequence[Question]
    picks: Mapping[str, Mapping[str, Selection]]
    likelihoods: Mapping[str, Mapping[str, Likelihood]]
    evidence: Evidence
    training: TrainingFiles
    store: FrameStore
    rule: str
    missing: Sequence[str]


def read_gallery_files(study: Study, most: int) -> GalleryFiles:
    """At most `most` questions of a finished or unfinished run; what is not there is listed, not an error.

    Raises:
        RefocusError: a file is there and unreadable.
    """
    return _Reader(study, most).read()


class _Reader:
    def __init__(self, study: Study, most: int):
        self.study, self.root, self.folder = study, study.root, study.folder
        self.most = most
        self.missing: list[str] = []

    def read(self) -> GalleryFiles:
        benchmarks = study_questions(self.study)
        for name in self.root.use.benchmarks:
            self._there([QUESTIONS.at(self.folder, dataset=name)])
        tables = self._there(QUESTIONS.at(self.folder, dataset=name) for name in self.root.use.datasets)
        training = [Candidate(**row) for path in tables for row in _candidates(path)]
        known = [Candidate(q.qa_id, q.dataset, q.category) for q in benchmarks]
        drawn = sample(known, training, self.most, self.root.figures.seed)
        shards, learned = self._training(tables, drawn)
        indexes = [path for name in self.root.use.benchmarks for path in self._all_shards(name)]
        return GalleryFiles(
            questions=[question for question in benchmarks if question.qa_id in drawn.benchmarks],
            picks=self._picks(),
            likelihoods=self._likelihoods(),
            evidence=self._truth(),
            training=learned,
            store=FrameStore.open(self._there([*indexes, *shards])),
            rule=drawn.rule,
            missing=self.missing,
        )

    def _there(self, paths: Iterable[Path]) -> list[Path]:
        """The files that exist; the others are noted."""
        found = []
        for path in paths:
            if path.is_file():
                found.append(path)
            else:
                self.missing.append(path.relative_to(self.folder).as_posix())
        return found

    def _all_shards(self, name: str) -> list[Path]:
        shards = range(self.root.source(name).shards)
        return [INDEX.at(self.folder, dataset=name, shard=shard_name(number)) for number in shards]

    def _picks(self) -> dict[str, dict[str, Selection]]:
        root = self.root
        order = {kind: place for place, kind in enumerate(KINDS)}
        found: dict[str, dict[str, Selection]] = {}
        for name in sorted(root.use.selectors, key=lambda one: order.get(kind_of(one), len(order))):
            paths = [
                SELECTIONS.at(
                    self.folder,
                    benchmark=benchmark,
                    selector=slug(name),
                    frames=root.main_n_frames,
                    seed=root.select.seed,
                )
                for benchmark in root.use.benchmarks
                if name in root.selectors_on(benchmark)
            ]
            for path in self._there(paths):
                found.setdefault(name, {}).update(read_selections(path))
        return found

    def _likelihoods(self) -> dict[str, dict[str, Likelihood]]:
        """Of the policies there are tables of; of most runs none are made, and then none is missed."""
        frames = self.root.main_n_frames
        self._there(
            LIKELIHOOD.at(self.folder, benchmark=name, run=run, frames=frames)
            for run in likely_runs(self.root)
            for name in likely_benchmarks(self.root)
        )
        found: dict[str, dict[str, Likelihood]] = {}
        for file in (LIKELIHOOD, INITIAL_LIKELIHOOD):
            for run in self.root.use.runs:
                for name in self.root.use.benchmarks:
                    path = file.at(self.folder, benchmark=name, run=run, frames=frames)
                    if path.is_file():
                        table = read_likelihoods(path)
                        found.setdefault(table.selector, {}).update(table.rows)
        return found

    def _truth(self) -> Evidence:
        named = (self.root.benchmarks[name].truth or EVIDENCE.fill(dataset=name) for name in self.root.use.benchmarks)
        own = [self.folder / text.removeprefix(ROOT) if text.startswith(ROOT) else Path(text) for text in named]
        paths = [path for path in dict.fromkeys(own) if path.is_file()]
        return read_truth(paths, self.study.results.benchmarks.values())

    def _training(self, tables: Sequence[Path], drawn: GallerySample) -> tuple[list[Path], TrainingFiles]:
        """The indexes of the shards that hold the sampled questions, and all there is about these."""
        wanted = pa.array(sorted(drawn.training), pa.string())
        questions = [question for path in tables for question in read_questions(path, wanted)]
        model = self.root.reward.model
        margins: dict[str, list[SubsetMargin]] = {}
        indexes: list[Path] = []
        spans: dict[str | tuple[str, str], list[Span]] = {}
        for name in self.root.use.datasets:
            clips = {question.clip_id for question in questions if question.dataset == name}
            lists = self._there([CLIPS.at(self.folder, dataset=name)]) if clips else []
            shards = sorted({clip.shard for path in lists for clip in read_clips(path) if clip.clip_id in clips})
            names = [shard_name(number) for number in shards]
            indexes += [INDEX.at(self.folder, dataset=name, shard=shard) for shard in names]
            tables_of_margins = [MARGINS.at(self.folder, model=model, dataset=name, shard=shard) for shard in names]
            for path in self._there(tables_of_margins):
                for row in _rows(path, ["qa_id", "subset", "frame_indices", "margin"], wanted):
                    one = SubsetMargin(row["subset"], tuple(row["frame_indices"]), _number(row["margin"]))
                    margins.setdefault(row["qa_id"], []).append(one)
            evidence = EVIDENCE.at(self.folder, dataset=name)
            spans.update(read_evidence(evidence, name).spans if evidence.is_file() else {})
        variances = self._there([VARIANCE.at(self.folder, model=model)] if tables else [])
        pairs = self._there([PAIRS.at(self.folder, model=model)] if tables else [])
        return indexes, TrainingFiles(
            questions=questions,
            margins=margins,
            variances={
                row["qa_id"]: _number(row["variance"])
                for path in variances
                for row in _rows(path, ["qa_id", "variance"], wanted)
            },
            kept=frozenset(row["qa_id"] for path in pairs for row in _rows(path, ["qa_id"], wanted)),
            evidence=Evidence(spans, complete=False),
        )


def study_questions(study: Study) -> list[Question]:
    """The questions of all benchmarks, in the order of their files."""
    return [question for benchmark in study.results.benchmarks.values() for question in benchmark.questions]


def _candidates(path: Path) -> list[dict[str, str]]:
    return read_columns(path, ["qa_id", "dataset", "category"]).to_pylist()


def _rows(path: Path, columns: list[str], wanted: pa.Array) -> list[dict]:
    table = read_columns(path, columns)
    return table.filter(pc.is_in(table["qa_id"], wanted)).to_pylist()


def _number(value: float | None) -> float | None:
    """A number that JSON can hold; NaN is none."""
    return None if value is None or value != value else float(value)
