"""What the learned policy must show in the synthetic world, and whether it does: bars on differences."""

from collections.abc import Iterator

from refocus.report.contrast import Contrast, percent, points
from refocus.report.study import DEPENDENT, Study
from refocus.report.study_claims import LENGTHS, by_length

# By how much the learned policy is to beat the best selector without training; below 0: may lose to it.
OVER_BASELINE = {"sequence/": 0.15, "moment/": -0.02}
OVER_UNIFORM, OVER_SWAPPED, STATIC_LOSS = 0.25, 0.25, 0.0


def bars(study: Study) -> list[Contrast]:
    """Each as a comparison whose difference must reach `least`."""
    return list(_bars(study))


def _bars(study: Study) -> Iterator[Contrast]:
    if study.base is None:
        return
    learned, uniform = study.of(study.base, "learned"), study.by("uniform")
    two, static = study.group("sequence/"), study.group("static/")
    for prefix, least in OVER_BASELINE.items():
        group = study.group(prefix)
        if group is None:
            continue
        for baseline in study.baselines_for(group):
            what = f"{group.name}: against the best without training, `{baseline}`"
            yield study.compare(what, learned, study.by(baseline), group, least=least)
    if two is not None:
        yield study.compare(f"{two.name}: against uniform", learned, uniform, two, least=OVER_UNIFORM)
    swapped = study.of(study.base, "picks for another question", "swapped")
    yield study.compare(
        f"{DEPENDENT.name}: against its picks for another question", learned, swapped, least=OVER_SWAPPED
    )
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
        ours, theirs = (percent(score, seeds) for score, seeds in zip(bar.scores, bar.seeds, strict=True))
        lines.append(f"| {bar.what} | {ours} | {theirs} | {points(bar.difference)} | {100 * bar.least:g} | {word} |")
    return "\n".join(lines)


def verdict(made: list[Contrast]) -> str:
    """`5 of 6 bars are met.`"""
    run = [bar for bar in made if bar.met is not None]
    return f"{sum(bool(bar.met) for bar in run)} of {len(run)} bars are met." if run else "Nothing to compare yet."
