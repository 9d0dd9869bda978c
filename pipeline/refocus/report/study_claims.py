"""The claims that the study puts to the test, (a) to (g), each as comparisons of what was run."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from refocus.report.contrast import Contrast
from refocus.report.study import DEPENDENT, QuestionSet, Study

TRANSFER = 0.05  # what a policy may lose that was trained with another LMM than the one that answers
LENGTHS = 0.10  # what it may lose on the longest clips
SHORT = 160  # frames of a clip, at most, that counts as short: no training clip of the world has more


@dataclass(frozen=True)
class Claim:
    """A claim: `says` what is compared, in words; `contrasts` the comparisons, those that decide among them."""

    key: str
    title: str
    says: str
    contrasts: tuple[Contrast, ...]


def claims(study: Study) -> list[Claim]:
    """All of them, in order; those that nothing was run for have no contrasts."""
    made = []
    for key, (title, says, contrasts) in CLAIMS.items():
        made.append(Claim(key, title, says.format(**_words(study)), tuple(contrasts(study))))
    return made


def _words(study: Study) -> dict[str, str | int]:
    best = study.best_baseline()
    return {
        "best": f"`{best}`" if best else "none was run",
        "n": study.root.main_n_frames,
        "transfer": f"{100 * TRANSFER:g}",
        "lengths": f"{100 * LENGTHS:g}",
        "short": SHORT,
    }


def against_training_free(study: Study) -> Iterator[Contrast]:
    """(a) Learned picks against the best selector that needs no training."""
    best = study.best_baseline()
    if study.base is None or best is None:
        return
    learned = study.of(study.base, "learned")
    for group in study.groups:
        decides = group is not study.group("static/")
        for baseline in study.baselines_for(group):
            what = f"{group.name}, against `{baseline}`"
            yield study.compare(what, learned, study.by(baseline), group, decides=decides)


def feedback(study: Study) -> Iterator[Contrast]:
    """(b) Greedy steps that see their picks against the same policy's likeliest frames without."""
    if study.base is None:
        return
    # both sides take the likeliest frames; sampled picks against picks without feedback would compare two things
    with_feedback = study.of(study.base, "step by step", "greedy")
    sampled = study.of(study.base, "step by step, sampled")
    first, marginal = study.of(study.base, "first step", "first-step"), study.of(study.base, "marginals", "marginals")
    for group in [g for g in study.groups if g is not study.group("static/")]:
        decides = group is study.group("sequence/") or study.group("sequence/") is None
        for side in (first, marginal):
            yield study.compare(f"{group.name}, against its {side.name}", with_feedback, side, group, decides=decides)
        for side in (first, marginal):
            yield study.compare(f"{group.name}, sampled against its {side.name}", sampled, side, group, decides=False)


def filtering(study: Study) -> Iterator[Contrast]:
    """(c) What the variance filter keeps against as many random questions and against all."""
    others = {"random": "as many random questions", "all": "all questions"}
    yield from _against_base(study, "questions", others, "filtered")


def margin_reward(study: Study) -> Iterator[Contrast]:
    """(d) The margin as reward against right or wrong."""
    yield from _against_base(study, "reward", {"correct": "right-or-wrong rewards"}, "margin")


def candidates_and_frames(study: Study) -> Iterator[Contrast]:
    """(e) More candidates, more frames in training, a curriculum."""
    fewer = {n: f"N = {n}" for n in study.changed("candidates")}
    yield from _against_base(study, "candidates", fewer, f"N = {study.root.train.candidates}")
    sizes = list(study.direct)
    sides = {n: study.of(variant, f"T' = {n}", frames=_answered(study, n)) for n, variant in study.direct.items()}
    for less, more in itertools.pairwise(sizes):
        yield study.compare(f"T' = {more} against T' = {less}, each with as many frames", sides[more], sides[less])
    for less, more in itertools.pairwise(sizes):
        same = study.of(study.direct[less], f"T' = {less}", frames=_answered(study, more))
        yield study.compare(
            f"T' = {more} against T' = {less}, both with {more} frames", sides[more], same, decides=False
        )
    for variant in study.variants:
        n = study.picks(variant)
        if set(study.changes(variant)) - {"picks"} == {"curriculum"} and n in sides:
            grown = study.of(variant, f"T' = {variant.trained}", frames=_answered(study, n))
            yield study.compare(f"T' = {variant.trained} against T' = {n} from the start", grown, sides[n])


def transfer(study: Study) -> Iterator[Contrast]:
    """(f) Trained with one LMM, answered by another."""
    if study.base is None:
        return
    own = study.root.train.reward_model
    trained = {own: study.base} | {
        name: v for name, v in study.changed("reward_model").items() if isinstance(name, str)
    }
    for teacher, variant in trained.items():
        for reader in study.root.use.lmms:
            if teacher == reader or reader not in trained:
                continue
            away, home = (
                study.of(v, f"trained with {name}", lmm=reader)
                for name, v in ((teacher, variant), (reader, trained[reader]))
            )
            decides, words = teacher == own, f"trained with {teacher}, answered by {reader}"
            uniform = study.by("uniform", lmm=reader)
            yield study.compare(f"{words}, against uniform", away, uniform, decides=decides)
            against = f"{words}, against trained with {reader}, loses at most {100 * TRANSFER:g}"
            yield study.compare(against, away, home, least=-TRANSFER, decides=decides)


def length(study: Study) -> Iterator[Contrast]:
    """(g) Clips longer than any that was trained on."""
    if study.base is None:
        return
    learned, best = study.of(study.base, "learned"), study.best_baseline()
    for group in [DEPENDENT, *study.groups]:
        short, long = by_length(study, group)
        loses = f"{group.name}: {long.name} against {short.name}, loses at most {100 * LENGTHS:g}"
        decides = group is DEPENDENT
        yield study.compare(loses, learned, learned, long, beside=short, least=-LENGTHS, decides=decides)
        yield study.compare(
            f"{group.name}: {long.name}, against uniform", learned, study.by("uniform"), long, decides=decides
        )
        if best is not None:
            yield study.compare(
                f"{group.name}: {long.name}, against `{best}`", learned, study.by(best), long, decides=False
            )


Contrasts = Callable[[Study], Iterator[Contrast]]
CLAIMS: dict[str, tuple[str, str, Contrasts]] = {
    "a": (
        "Learned picks against the best that need no training",
        "The learned policy is better than the best selector that needs no training: {best}, the best on all questions "
        "about one or two moments, and where another is better on a group, that one too; both are chosen on the very "
        "questions that they are compared on. `confidence`, which asks the LMM about every frame, and "
        "`uniform-seen`, which hands it far more, are left aside.",
        against_training_free,
    ),
    "b": (
        "Feedback of the picks",
        "Choosing step by step, each pick fed back, is better than the same policy's {n} likeliest frames of its first "
        "step, or of the marginals of Eq. 10. All three take the likeliest frames; sampled picks are shown beside.",
        feedback,
    ),
    "c": (
        "The variance filter",
        "Training on what the filter keeps is better than on as many random questions, and than on all, in equally "
        "many steps.",
        filtering,
    ),
    "d": (
        "Margin as reward",
        "The margin of Eq. 5 teaches better than 1 for a right answer and 0 for a wrong one.",
        margin_reward,
    ),
    "e": (
        "Candidates, frames, curriculum",
        "More candidates N, more frames T' in training, and a T' that grows while training are each better than less.",
        candidates_and_frames,
    ),
    "f": (
        "Another LMM",
        "Picks of a policy that was trained with one LMM serve another one: they beat uniform frames there, and lose "
        "at most {transfer} points against a policy that was trained with it.",
        transfer,
    ),
    "g": (
        "Longer clips",
        "Trained on clips of at most {short} frames, the policy loses at most {lengths} points on longer ones, and "
        "beats uniform frames there.",
        length,
    ),
}


def _against_base(study: Study, key: str, others: dict, name: str) -> Iterator[Contrast]:
    """The configuration's setting against those that set one key otherwise, on all questions and on each group."""
    if study.base is None:
        return
    for value, words in others.items():
        variant = study.changed(key).get(value)
        if variant is None:
            continue
        ours, theirs = study.of(study.base, name), study.of(variant, words)
        for group in [DEPENDENT, *(g for g in study.groups if g is not study.group("static/"))]:
            where = "" if group is DEPENDENT else f", {group.name}"
            yield study.compare(f"{name} against {words}{where}", ours, theirs, group, decides=group is DEPENDENT)


def _answered(study: Study, picks: int) -> int:
    """Frames that a policy of that T' is answered with: as many, where the configuration does."""
    return picks if picks in study.root.answer.n_frames else study.root.main_n_frames


def by_length(study: Study, group: QuestionSet) -> tuple[QuestionSet, QuestionSet]:
    """A group's questions about short and about longer clips."""
    frames = study.clip_frames
    longest = max(frames.values(), default=0)
    long = f"{SHORT + 1} to {longest} frames" if longest > SHORT else f"> {SHORT} frames"
    return (
        QuestionSet(f"≤ {SHORT} frames", lambda o: group.keep(o) and frames.get(o.clip_id, 0) <= SHORT),
        QuestionSet(long, lambda o: group.keep(o) and frames.get(o.clip_id, 0) > SHORT),
    )
