"""A study as a page: one section per claim, with its table and one sentence that is computed from it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from refocus.report import bars
from refocus.report.contrast import RULE, Contrast, Side, percent, points, sentence
from refocus.report.selector_table import kind_table, lmm_table, selector_table
from refocus.report.study import DEPENDENT, Study
from refocus.report.study_claims import Claim, claims


def page(study: Study, commands: Sequence[str], figures: Iterable[Path]) -> str:
    """The page as Markdown; what was not run is listed at its top."""
    pictures = {path.stem: f"![{path.stem}]({path.parent.name}/{path.name})" for path in figures}
    must = bars.bars(study)
    parts = [
        "# Which of the paper's claims hold in the synthetic world?",
        _intro(study),
        "```sh\n" + "\n".join(commands) + "\n```",
        f"**Not run yet, and left out below:** {', '.join(study.missing)}." if study.missing else "",
        pictures.get("claims", ""),
        "## What it must show",
        bars.verdict(must),
        bars.table(must) if must else "",
    ]
    for claim in claims(study):
        parts += [f"## ({claim.key}) {claim.title}", *_section(study, claim, pictures)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(study: Study) -> str:
    root = study.root
    seeds = max((len(variant.runs) for variant in study.variants), default=0)
    world = f" (world seed {root.world.seed}, by whose held-out answers no setting was chosen)" if root.world else ""
    return (
        f"All numbers are of the **synthetic world**{world} and models of about a million parameters. Accuracy is on "
        f"held-out videos with {root.main_n_frames} picks, unless said otherwise; behind a mean over training seeds "
        f"(up to {seeds}) stand their own values. Differences are paired by question, and their "
        f"{root.tables.confidence_level:.0%} intervals are over videos: they say what other videos would change, not "
        "what another training seed would. Questions are named by what must be seen to answer them: two moments, one "
        f"moment, or any frame. {RULE}"
    )


def _section(study: Study, claim: Claim, pictures: dict[str, str]) -> list[str]:
    parts = [claim.says, sentence(list(claim.contrasts))]
    if claim.contrasts:
        parts.append(_table(claim.contrasts))
    if claim.key == "a" and study.base is not None:
        parts += ["Kind by kind, also against the best of each kind:", kind_table(study)]
        parts += ["What every selector reaches:", selector_table(study)]
    if claim.key == "f" and len(study.root.use.lmms) > 1:
        parts += [f"Accuracy in % on questions about {DEPENDENT.name}:", lmm_table(study, _teachers(study), DEPENDENT)]
    return [*parts, *(text for name, text in pictures.items() if name.startswith(f"{claim.key}-"))]


def _table(contrasts: Sequence[Contrast]) -> str:
    lines = [
        "| questions and sides | n | first, % | second, % | difference, points | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for contrast in contrasts:
        n = contrast.difference.questions if contrast.difference else 0
        first, second = (percent(score, seeds) for score, seeds in zip(contrast.scores, contrast.seeds, strict=True))
        lines.append(
            f"| {contrast.what} | {n} | {first} | {second} | {points(contrast.difference)} | {contrast.verdict} |"
        )
    return "\n".join(lines)


def _teachers(study: Study) -> dict[str, Side]:
    """Uniform frames, and the runs of every reward LMM."""
    sides = {"uniform": study.by("uniform")}
    if study.base is not None:
        own = study.root.train.reward_model
        teachers = {own: study.base, **study.changed("reward_model")}
        sides |= {f"a policy trained with {name}": study.of(variant, str(name)) for name, variant in teachers.items()}
    return sides | ({"oracle": study.by("oracle")} if "oracle" in study.root.use.selectors else {})
