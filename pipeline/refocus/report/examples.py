"""Gathers what an example strip shows: frames, picks, answers, evidence, and the policy's preference."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from refocus.config.tables import FiguresSettings
from refocus.core.files import digest
from refocus.frames.frame_store import FrameStore
from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question
from refocus.report.example_strips import Example
from refocus.report.results import Results
from refocus.reward.windows import uniform
from refocus.select.baselines import EvidenceSpan
from refocus.select.selections import Selection
from refocus.select.selector import question_seed


def choose(questions: Sequence[Question], store: FrameStore, count: int, seed: int) -> list[Question]:
    """Which questions are drawn: seeded, one clip each, categories in turn, never by whether the answer was right."""
    usable = [q for q in questions if q.clip_id in store and store.record(q.clip_id).n_frames > 1]
    order = sorted(usable, key=lambda question: digest([seed, question.qa_id]))
    waiting: dict[str, list[Question]] = {}
    for question in order:
        waiting.setdefault(question.category, []).append(question)
    queues = [waiting[name] for name in sorted(waiting)]
    chosen: list[Question] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            clips = {question.clip_id for question in chosen}
            fresh = next((question for question in queue if question.clip_id not in clips), None)
            if fresh is not None and len(chosen) < count:
                chosen.append(fresh)
            queue[:] = [question for question in queue if question is not fresh] if fresh is not None else []
    return chosen


def gather(
    questions: Sequence[Question],
    store: FrameStore,
    selections: Mapping[str, Mapping[str, Selection]],
    board: Results | None,
    truth: Mapping[tuple[str, str], Sequence[EvidenceSpan]],
    policy: Path | None,
    frames: int,
    settings: FiguresSettings,
) -> list[Example]:
    """Everything about each question that a strip shows.

    Args:
        selections: picks by selector and qa_id.
        truth: evidence spans by (data set, source_id); questions not in it show none.
        policy: folder of the policy whose preference is drawn; None: no curve.
    """
    marginals = _marginals(questions, store, policy, frames, settings) if policy and settings.marginal_samples else {}
    examples = []
    for question in questions:
        record = store.record(question.clip_id)
        picks = {
            name: (rows[question.qa_id].timestamps_s, _correct(board, name, question, frames))
            for name, rows in selections.items()
            if question.qa_id in rows
        }
        shown = uniform(record.n_frames, settings.strip_frames)
        examples.append(
            Example(
                question=question,
                thumbnails=store.images(question.clip_id, indices=shown, size=160),
                times_s=record.timestamps,
                picks=picks,
                marginal=marginals.get(question.qa_id),
                spans_s=tuple(truth.get((question.dataset, question.source_id), ())),
            )
        )
    return examples


def _correct(board: Results | None, selector: str, question: Question, frames: int) -> bool | None:
    """Whether the first LMM answered rightly from these picks; None where it was not asked."""
    answer = (
        board.answer(board.lmms[0], selector, question.dataset, frames, question.qa_id)
        if board and board.lmms
        else None
    )
    return None if answer is None or answer.flags else answer.correct


def _marginals(
    questions: Sequence[Question], store: FrameStore, folder: Path, frames: int, settings: FiguresSettings
) -> dict[str, list[float]]:
    from refocus.select.policy_selector import load_policy

    policy = load_policy(folder, "auto", 1)
    found = {}
    for question in questions:
        images = store.images(question.clip_id, size=policy.frame_size)
        prompt = Prompt(question.question, tuple(question.options))
        seeds = [question_seed(settings.seed, question.qa_id)]
        share = policy.marginals(images, [prompt], frames, seeds, settings.marginal_samples)
        found[question.qa_id] = share[0].tolist()
    return found
