"""Which questions are drawn, and what a drawing shows: frames, picks, answers, evidence, preference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import softmax

from refocus.config.selectors import KINDS, kind_of
from refocus.config.tables import FiguresSettings
from refocus.core.files import digest
from refocus.evaluate.answers import Answer
from refocus.frames.frame_store import FrameStore
from refocus.qa.evidence import Evidence
from refocus.qa.records import Question
from refocus.report.accuracy_panels import family_of
from refocus.report.example_strips import Example, Picked
from refocus.report.results import Results
from refocus.select.likelihood import Likelihood
from refocus.select.picks import Selection

WIN, BOTH, NEITHER, LOSS = (
    "win over uniform",
    "tie with uniform: both right",
    "tie with uniform: both wrong",
    "miss: right from uniform alone",
)
LEGEND = (
    "Pictures: frames that a selector picked, each joined to its time; triangles (ticks, if many): all of its picks.\n"
    "Below its name: the option that the LMM chose from these frames, and how likely the LMM found it.\n"
    "Between dashed lines, and framed in black: the evidence."
)


@dataclass(frozen=True)
class Material:
    """What examples are made from.

    selections: picks of `frames` frames by selector and qa_id. truth: when the evidence is visible, where it is
    known. likelihoods: of the trained policies, by selector and qa_id.
    """

    results: Results
    selections: Mapping[str, Mapping[str, Selection]]
    store: FrameStore
    truth: Evidence
    likelihoods: Mapping[str, Mapping[str, Likelihood]]
    frames: int
    settings: FiguresSettings

    @property
    def ours(self) -> str | None:
        """The trained policy's selector, or None where none was asked."""
        return next((name for name in self.selections if name.startswith("refocus/")), None)

    @property
    def questions(self) -> list[Question]:
        """Those of all benchmarks that have frames, in the order of their files."""
        every = (question for benchmark in self.results.benchmarks.values() for question in benchmark.questions)
        return [q for q in every if q.clip_id in self.store and self.store.record(q.clip_id).n_frames > 1]

    @property
    def best_untrained(self) -> str | None:
        """The selector without training whose frames are answered right most often; of equals the first."""
        names = [name for name in self.selections if family_of(kind_of(name)) == "without training"]
        right = {name: sum(bool((a := self.answer(name, q)) and a.correct) for q in self.questions) for name in names}
        return max(right, key=right.__getitem__, default=None)

    @property
    def pictured(self) -> list[str]:
        """The selectors whose frames are shown: uniform, the best without training, and ours."""
        wanted = ("uniform", self.best_untrained, self.ours)
        return [name for name in wanted if name is not None and name in self.selections]

    def answer(self, selector: str, question: Question) -> Answer | None:
        """What the first LMM answered from a selector's picks; None where it was not asked."""
        lmms = self.results.lmms[:1]
        answers = (self.results.answer(lmm, selector, question.dataset, self.frames, question.qa_id) for lmm in lmms)
        return next((answer for answer in answers if answer and answer.answered), None)

    def result(self, question: Question) -> str:
        """WIN, BOTH, NEITHER or LOSS; empty where uniform frames and the policy's were not both answered from."""
        uniform, ours = (self.answer(name, question) for name in ("uniform", self.ours or ""))
        if uniform is None or ours is None:
            return ""
        if ours.correct:
            return BOTH if uniform.correct else WIN
        return LOSS if uniform.correct else NEITHER


def drawn_by_lot(material: Material) -> tuple[list[Example], str]:
    """The examples of Figure 9 and the line above them: how all questions came out, and examples in that proportion."""
    questions = material.questions
    results = {question.qa_id: material.result(question) for question in questions}
    settings = material.settings
    chosen = choose(questions, results, settings.examples, settings.seed)
    order = sorted(material.selections, key=lambda name: list(KINDS).index(kind_of(name)))
    note = f"{tally(results)}.\nDrawn by lot, in this proportion." if any(results.values()) else "Drawn by lot."
    return _gather(material, chosen, order, material.pictured), f"{note}\n{LEGEND}"


def first_win(material: Material) -> tuple[list[Example], str]:
    """The first question that uniform frames miss and ours answer, of those that need the most moments; or none.

    Ours must show all of these moments: a lucky guess is no example.
    """
    wins = [question for question in material.questions if material.result(question) == WIN]
    shown = [question for question in wins if _shows_all(material, question)]
    chosen = sorted(shown, key=lambda q: -len(material.truth.of(q)))[:1]
    note = "" if chosen else "No question is answered right only from the policy's frames, with all it needs in view."
    pair = ["uniform", *filter(None, [material.ours])]
    return _gather(material, chosen, pair, pair), note


def _shows_all(material: Material, question: Question) -> bool:
    """Whether the policy's frames show every moment that a question is known to need."""
    picked = material.selections[material.ours or ""][question.qa_id].timestamps_s
    return all(any(start <= time_s < end for time_s in picked) for start, end in material.truth.of(question))


def choose(questions: Sequence[Question], results: Mapping[str, str], count: int, seed: int) -> list[Question]:
    """Which questions are drawn: by a seeded lot, one per clip, in proportion to how they came out."""
    order = sorted(questions, key=lambda question: digest([seed, question.qa_id]))
    chosen: dict[str, Question] = {}  # by clip
    for result, places in proportion(Counter(results[question.qa_id] for question in questions), count).items():
        fresh: dict[str, Question] = {}
        for question in order:
            if results[question.qa_id] == result and question.clip_id not in chosen:
                fresh.setdefault(question.clip_id, question)
        chosen |= dict(list(fresh.items())[:places])
    return list(chosen.values())


def proportion(counts: Mapping[str, int], places: int) -> dict[str, int]:
    """Shares out places in proportion to the counts (largest remainders), the most frequent first."""
    total = sum(counts.values())
    names = sorted(counts, key=lambda name: (-counts[name], name))
    exact = {name: places * counts[name] / total for name in names}
    shares = {name: int(exact[name]) for name in names}
    for name in sorted(names, key=lambda name: shares[name] - exact[name])[: places - sum(shares.values())]:
        shares[name] += 1
    return shares


def tally(results: Mapping[str, str]) -> str:
    """How many questions came out how, as a sentence."""
    counts = Counter(result for result in results.values() if result)
    return (
        f"Of {counts.total()} questions, {counts[WIN]} are answered right only from ReFoCUS's frames, {counts[BOTH]} "
        f"from both, {counts[LOSS]} only from uniform ones, {counts[NEITHER]} from neither"
    )


def _gather(
    material: Material, questions: Sequence[Question], selectors: Sequence[str], pictured: Sequence[str]
) -> list[Example]:
    likely = material.likelihoods.get(material.ours or "", {})
    return [
        Example(
            question=question,
            timestamps_s=material.store.record(question.clip_id).timestamps_s,
            picks={
                name: _picked(material, name, question, name in pictured)
                for name in selectors
                if question.qa_id in material.selections.get(name, ())
            },
            pictured=pictured,
            likelihood=likely[question.qa_id].frequency.tolist() if question.qa_id in likely else None,
            spans_s=tuple(material.truth.of(question)),
            outcome=material.result(question),
        )
        for question in questions
    ]


def _picked(material: Material, selector: str, question: Question, with_images: bool) -> Picked:
    selection = material.selections[selector][question.qa_id]
    answer = material.answer(selector, question)
    return Picked(
        images=material.store.images(question.clip_id, selection.frame_indices if with_images else (), size=192),
        timestamps_s=selection.timestamps_s,
        prediction=answer.prediction if answer else -1,
        shares=tuple(softmax(answer.logits)) if answer and answer.logits else (),
        correct=answer.correct if answer else None,
    )
