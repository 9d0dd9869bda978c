"""What selector reaches what: one row per selector, the learned ones as the mean of their runs."""

from refocus.config.selectors import KINDS, kind_of, of_run, slug
from refocus.core.results_folder import SELECTION_COST
from refocus.report.contrast import Contrast, Side, percent, points
from refocus.report.study import QuestionSet, Study
from refocus.select.cost import Cost, read_selection_cost

COSTS = ("seconds", "tower frames", "LMM passes")  # of picking, for each question
LEARNED = {
    "refocus": "**learned** (sampled)",
    "refocus-question": "learned, without the options",
    "greedy": "learned, likeliest at each step",
    "first-step": "learned, first step only",
    "marginals": "learned, marginals of Eq. 10",
    "swapped": "learned, picks for another question",
    "initial": "before training",
}


def sides(study: Study) -> list[Side]:
    """The rows: selectors without runs and each kind of the main setting's runs, in the order of KINDS; then what was
    imported."""
    made: dict[str, Side] = {}
    for selector in study.root.use.selectors:
        kind = kind_of(selector)
        if not of_run(selector):
            made[kind if kind in KINDS else selector] = study.by(selector)
        elif study.base is not None:
            made[kind] = study.of(study.base, LEARNED.get(kind, kind), kind)
    return [made[kind] for kind in [*KINDS, *(name for name in made if name not in KINDS)] if kind in made]


def selector_table(study: Study) -> str:
    """Accuracy on each group of questions, and the paired difference to the best selector that needs no training."""
    best = study.best_baseline()
    asked = [group for group in study.groups if group is not study.group("static/")]
    shown = [side for side in sides(study) if study.score(side) is not None]
    head = ["frames picked by", *(f"{group.name}, %" for group in study.groups)]
    head += [f"points against `{best}`, {group.name}" for group in asked if best]
    head += [f"{name} a question" for name in COSTS]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for side in shown:
        of_seeds = [tuple(study.seeds(side, group)) for group in study.groups]
        cells = [side.name]
        cells += [percent(study.score(side, group), each) for group, each in zip(study.groups, of_seeds, strict=True)]
        for group in asked if best else []:
            same = side.selectors == (best,)
            cells.append(
                "–" if same or best is None else points(study.compare("", side, study.by(best), group).difference)
            )
        lines.append("| " + " | ".join([*cells, *_costs(study, side)]) + " |")
    return "\n".join(lines)


def _costs(study: Study, side: Side) -> list[str]:
    """What picking cost for each question, over all numbers of frames and the side's runs; a dash where it is not
    written down."""
    files = [
        SELECTION_COST.at(study.folder, benchmark=name, selector=slug(selector))
        for name in study.root.use.benchmarks
        for selector in side.selectors
    ]
    spent = [read_selection_cost(path) for path in files if path.is_file()]
    questions = sum(part.questions for part in spent)
    if not questions:
        return ["–"] * len(COSTS)
    total = sum((part.cost for part in spent), Cost())
    passes = [f"{number / questions:.0f}" for number in (total.frame_passes, total.lmm_passes)]
    return [f"{total.seconds / questions:.2g}", *passes]


def kind_table(study: Study) -> str:
    """Learned picks kind by kind, against the best selector without training overall and that of the kind itself."""
    best = study.best_baseline()
    if study.base is None or best is None:
        return "Nothing to compare yet."
    learned, uniform = study.of(study.base, "learned"), study.by("uniform")
    head = [
        "questions",
        "n",
        "uniform",
        f"`{best}`",
        "best of the kind",
        "learned",
        f"against `{best}`",
        "against the kind's best",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for kind in study.kinds:
        own = study.best_baseline(kind) or best
        against = [study.compare("", learned, study.by(name), kind) for name in (best, own)]
        cells = [kind.name, _count(against[0])]
        cells += [percent(study.score(side, kind)) for side in (uniform, study.by(best))]
        cells += [f"{percent(study.score(study.by(own), kind))} (`{own}`)", percent(study.score(learned, kind))]
        lines.append("| " + " | ".join([*cells, *(points(contrast.difference) for contrast in against)]) + " |")
    return "\n".join(lines)


def lmm_table(study: Study, settings: dict[str, Side], group: QuestionSet) -> str:
    """Accuracy on a group by what picked the frames and by the LMM that answers."""
    lmms = study.root.use.lmms
    lines = [
        "| frames picked by | " + " | ".join(f"answered by {lmm}" for lmm in lmms) + " |",
        "|---|" + "---:|" * len(lmms),
    ]
    for name, side in settings.items():
        cells = []
        for lmm in lmms:
            asked = Side(side.name, side.selectors, lmm, side.frames)
            cells.append(percent(study.score(asked, group), tuple(study.seeds(asked, group))))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _count(contrast: Contrast) -> str:
    return str(contrast.difference.questions) if contrast.difference else "0"
