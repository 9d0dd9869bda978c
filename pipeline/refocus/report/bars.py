"""What the learned policy must show in the synthetic world, and whether it does: bars on differences."""

from collections.abc import Iterator

from refocus.report.contrast import Contrast, percent, points
from refocus.report.study import DEPENDENT, Study
from refocus.report.study_claims import LENGTHS, by_length

STATIC_LOSS = 0.0
MOMENT_LOSS = 0.02


def bars(study: Study) -> list[Contrast]:
    """Each as a comparison whose difference must reach `least`."""
    return list(_bars(study))


def _bars(study: Study) -> Iterator[Contrast]:
    if study.base is None:
        return
    learned, uniform = study.of(study.base, "learned"), study.by("uniform")
    best = study.best_baseline()
    two, one, static = (study.group(prefix) for prefix in ("sequence/", "moment/", "static/"))
    if two is not None:
        if best is not None:
            yield study.compare(
                f"{two.name}: against the best without training, `{best}`", learned, study.by(best), two, least=0.15
            )
        yield study.compare(f"{two.name}: against uniform", learned, uniform, two, least=0.25)
    if one is not None and best is not None:
        yield study.compare(
            f"{one.name}: against the best without training, `{best}`", learned, study.by(best), one, least=-MOMENT_LOSS
        )
    swapped = study.of(study.base, "picks for another question", "swapped")
    yield study.compare(f"{DEPENDENT.name}: against its picks for another question", learned, swapped, least=0.25)
    if static is not None:
        yield study.compare(f"{static.name}: against uniform", learned, uniform, static, least=STATIC_LOSS)
    short, long = by_length(study, DEPENDENT)
    yield study.compare(
        f"{DEPENDENT.name}: {long.name} against {short.name}", learned, learned, long, beside=short, least=-LENGTHS
    )


def table(made: list[Contrast]) -> str:
    """Markdown: what was measured beside what it must be."""
    lines = [
        "| the learned policy | % | against, % | difference, points | at least | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for bar in made:
        word = {True: "met", False: "**not met**", None: "not run"}[bar.met]
        ours, theirs = (percent(score) for score in bar.scores)
        lines.append(f"| {bar.what} | {ours} | {theirs} | {points(bar.difference)} | {100 * bar.least:g} | {word} |")
    return "\n".join(lines)


def verdict(made: list[Contrast]) -> str:
    """`5 of 6 bars are met.`"""
    run = [bar for bar in made if bar.met is not None]
    return f"{sum(bool(bar.met) for bar in run)} of {len(run)} bars are met." if run else "Nothing to compare yet."
