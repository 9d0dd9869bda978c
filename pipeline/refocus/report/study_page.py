"""A study as a page: tables, and sentences that are computed from them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from refocus.config.variants import SYMBOLS, Variant, spell, trained
from refocus.report.study import Comparison, Estimate, Study, StudyRow

SIGNS = {1: "higher", -1: "lower", 0: "not significant"}


def page(study: Study, commands: Sequence[str], figures: Iterable[Path]) -> str:
    """The page as Markdown; what was not run is listed at its top."""
    pictures = {path.stem: f"![{path.stem}]({path.parent.name}/{path.name})" for path in figures}
    level = f"{study.root.tables.confidence_level:.0%}"
    parts = [
        "# What decides a run?",
        "All numbers are of the **synthetic world** and models of about a million parameters. "
        f"Intervals are {level} Student intervals over training seeds, not cut at 100 %; differences are paired by "
        "seed, and significant if their interval excludes 0.",
        "```sh\n" + "\n".join(commands) + "\n```",
        _missing(study),
        "## Against uniform frames, at every T'",
        _against_uniform(study),
        pictures.pop("accuracy", ""),
        "Accuracy in % on held-out questions about one moment, by the number of frames the LMM sees: the first picks "
        "of the policy's rollout (Table 4).",
        _by_frames(study),
    ]
    for comparison in study.comparisons:
        parts += [
            f"## {_title(study, comparison)}",
            *_compared(study, comparison),
            pictures.pop(comparison.picture, ""),
        ]
    if "fig6_temporal_entropy" in pictures:
        parts += ["## Temporal entropy over training (Fig. 6)", *_fig6(study), pictures.pop("fig6_temporal_entropy")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _missing(study: Study) -> str:
    return f"**Not run yet, and left out below:** {', '.join(study.missing)}." if study.missing else ""


def _against_uniform(study: Study) -> str:
    """Table 4's comparison where it is fairest: each policy with as many frames as it was trained with."""
    lines = ["| T' | uniform | learned | seeds | gain, points | oracle |", "|---:|---:|---:|---:|---:|---:|"]
    holds, gains = [], []
    for variant in study.direct:
        n = study.frames(variant)
        uniform, oracle = study.accuracy("uniform", n), study.accuracy("oracle", n)
        ours = study.by_seed(variant, study.measures(n)[0])
        if not ours or uniform is None:
            continue
        learned = study.estimate(ours.values())
        gain = study.estimate([value - uniform for value in ours.values()])
        best = "not run" if oracle is None else f"{oracle:.1f}"
        seeds = ", ".join(f"{value:.1f}" for value in learned.values)
        lines.append(f"| {n} | {uniform:.1f} | {_text(learned, 1)} | {seeds} | {_signed(gain, 1)} | {best} |")
        holds.append(min(learned.values) >= uniform)
        gains.append(f"T' = {n} {_signed(gain, 1)}")
    if not holds:
        return "Nothing to compare yet."
    where = "at every T'" if all(holds) else f"at {sum(holds)} of {len(holds)} values of T'"
    text = f"With every seed, the policy's frames give at least the accuracy of uniform frames {where}."
    text += f" Gains in points: {'; '.join(gains)}."
    return "\n".join([text, "", *lines])


def _by_frames(study: Study) -> str:
    """Rows: uniform, every setting, oracle; columns: frames answered with."""
    columns = study.root.answer.n_frames
    lines = ["| frames picked by | " + " | ".join(map(str, columns)) + " |", "|---|" + "---:|" * len(columns)]
    plain = [name for name in ("uniform", "random") if name in study.root.use.selectors]
    rows: list[tuple[str, list[Estimate | float | None]]] = []
    rows += [(name, [study.accuracy(name, n) for n in columns]) for name in plain]
    for variant in study.variants:
        by_seed = [study.by_seed(variant, study.measures(n)[0]) for n in columns]
        rows.append((f"policy, {_name(study, variant)}", [study.estimate(v.values()) if v else None for v in by_seed]))
    if "oracle" in study.root.use.selectors:
        rows.append(("oracle", [study.accuracy("oracle", n) for n in columns]))
    for name, cells in rows:
        lines.append(f"| {name} | " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _compared(study: Study, comparison: Comparison) -> list[str]:
    rows = study.rows(comparison)
    if not rows:
        return ["Not run yet."]
    ours, theirs = _name(study, comparison.variant), _name(study, comparison.base)
    lines = [f"| | {ours} | {theirs} | difference | |", "|---|---:|---:|---:|---|"]
    for row in rows:
        digits = row.measure.digits
        cells = (_text(row.variant, digits), _text(row.base, digits), _signed(row.difference, digits))
        lines.append(f"| {row.measure.title} | {' | '.join(cells)} | {_word(row.difference)} |")
    return [_sentence(study, comparison, rows), "\n".join(lines)]


def _sentence(study: Study, comparison: Comparison, rows: Sequence[StudyRow]) -> str:
    """What the comparison says, in words that follow from the intervals."""
    seeds = min(len(row.difference.values) for row in rows)
    if seeds < 2:
        return "With one seed there is no interval, so nothing is decided."
    sentences = []
    for sign, word in SIGNS.items():
        of_sign = [row for row in rows if row.difference.sign == sign]
        if of_sign:
            names = ", ".join(f"{row.measure.title} ({_signed(row.difference, row.measure.digits)})" for row in of_sign)
            sentences.append(f"{word}: {names}")
    text = f"{_name(study, comparison.variant)} with {seeds} seeds. " + ". ".join(
        part[0].upper() + part[1:] for part in sentences
    )
    return f"{text}. {_collapse(study, comparison, rows)}".strip()


def _word(difference: Estimate) -> str:
    return SIGNS[difference.sign] if difference.low is not None else "one seed"


def _collapse(study: Study, comparison: Comparison, rows: Sequence[StudyRow]) -> str:
    """Whether leaving the entropy bonus out does what it is there to prevent."""
    if comparison.what != "entropy_weight" or study.root.run_train(comparison.variant.runs[0]).entropy_weight:
        return ""
    lower = {row.measure.key for row in rows if row.difference.sign < 0}
    seen = [
        name
        for key, name in (("select/temporal_entropy", "temporal entropy"), ("reward/mean", "reward"))
        if key in lower
    ]
    where = " and ".join(seen) or "neither temporal entropy nor reward"
    return f"The collapse that the bonus should prevent shows in {where}. {_reads(study, comparison.variant)}".strip()


def _reads(study: Study, variant: Variant) -> str:
    """Whether the picks depend on the question, which no other measure tells."""
    own, swapped = (study.by_seed(variant, measure) for measure in study.measures(study.frames(variant))[:2])
    fewer = [own[seed] - swapped[seed] for seed in own if seed in swapped]
    if len(fewer) < 2:
        return ""
    gap = study.estimate(fewer)
    conclusion = "the picks depend on the question" if gap.sign > 0 else "no sign that the picks depend on the question"
    return f"With its picks for another question of the video, accuracy is {_text(gap, 1)} points lower: {conclusion}."


def _fig6(study: Study) -> list[str]:
    """Whether the picks crowd together more, the smaller T' is: from the first tenth of the training to the last."""
    measure = next(m for m in study.measures(1) if m.key == "select/temporal_entropy")
    ends = [(study.frames(v), study.by_seed(v, measure)) for v in study.direct]
    values_at_end = [f"T' = {n}: {_text(study.estimate(values.values()), 2)}" for n, values in ends if values]
    return [f"At the end of training, nats: {'; '.join(values_at_end)}."] if values_at_end else []


def _title(study: Study, comparison: Comparison) -> str:
    name, base = _name(study, comparison.variant), comparison.base
    if comparison.what == "curriculum":
        return f"A curriculum, {name}, against T' = {base.trained} from the start"
    return " against ".join(_value(study, side, comparison.what) for side in (comparison.variant, base))


def _value(study: Study, variant: Variant, key: str) -> str:
    run = variant.runs[0]
    values = {**study.root.run_policy(run).identity(), **study.root.run_train(run).identity()}
    return f"{SYMBOLS.get(key, key)} = {spell(values.get(key))}"


def _name(study: Study, variant: Variant) -> str:
    return variant.label or f"T' = {trained(study.root.run_train(variant.runs[0]).identity())}"


def _text(estimate: Estimate, digits: int) -> str:
    """`95.3 [92.1, 98.5]`."""
    around = "" if estimate.low is None else f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return f"{estimate.value:.{digits}f}{around}"


def _signed(estimate: Estimate, digits: int) -> str:
    around = "" if estimate.low is None else f" [{estimate.low:+.{digits}f}, {estimate.high:+.{digits}f}]"
    return f"{estimate.value:+.{digits}f}{around}"


def _cell(value: Estimate | float | None) -> str:
    if value is None:
        return "not run"
    return _text(value, 1) if isinstance(value, Estimate) else f"{value:.1f}"
