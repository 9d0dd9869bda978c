"""A plan as text for people and as plain values for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from refocus.plan.estimate import Plan
from refocus.plan.reward_layout import SCHEMES
from refocus.plan.stage_costs import StageCost


def lines(plan: Plan) -> Iterable[str]:
    """The plan as text, line by line."""
    yield f"GPU: {plan.settings.gpu}, {plan.settings.tflops:g} TFLOP/s at {plan.settings.efficiency:.0%}"
    yield ""
    yield from _table(
        ("source", "questions", "scored", "clips", "scored/clip", "frames", "hours of video"),
        [
            (
                source.name,
                f"{source.questions:,.0f}",
                f"{source.scored:,.0f}",
                f"{source.clips:,.0f}",
                f"{source.scored / source.clips:.1f}" if source.clips else "-",
                _large(source.frames),
                f"{source.seconds / 3600:,.0f}" if source.seconds else "-",
            )
            for source in plan.sources
        ],
    )
    if plan.uncounted:
        yield ""
        names = ", ".join(plan.uncounted)
        yield f"NOT COUNTED, nothing is known of them (`refocus run ingested`, or fill plan.sources): {names}"
    yield ""
    yield from _table(
        ("stage", "", "jobs", "frames", "tokens", "FLOP", "GPU-hours", "naive", "core-hours", "disk"),
        [_cells(plan, cost) for cost in (*plan.costs, _total(plan))],
    )
    if plan.schemes and plan.reward:
        yield ""
        first = plan.schemes[SCHEMES[0][0]].flops(plan.reward)
        yield from _table(
            ("reward pass", "frames", "tokens", "FLOP", "GPU-hours", "factor"),
            [
                (
                    text,
                    _large(work.frames),
                    _large(work.tokens),
                    f"{work.flops(plan.reward):.2e}",
                    _hours(plan.gpu_hours(work.flops(plan.reward))),
                    f"{first / work.flops(plan.reward):.2f}" if work.rows else "-",
                )
                for (_, text), work in zip(SCHEMES, plan.schemes.values(), strict=True)
            ],
        )
    yield ""
    yield "What this rests on:"
    yield from (f"- {note}" for note in plan.notes)


def plain(plan: Plan) -> dict[str, Any]:
    """The plan as plain values, ready for JSON. Hours and FLOP are floats, frames and tokens expectations."""
    schemes = {}
    for name, work in plan.schemes.items():
        flops = work.flops(plan.reward) if plan.reward else 0.0
        schemes[name] = {**vars(work), "flops": flops, "gpu_hours": plan.gpu_hours(flops)}
    return {
        "gpu": {name: getattr(plan.settings, name) for name in ("gpu", "tflops", "efficiency")},
        "sources": {
            source.name: {
                "ingested": source.ingested,
                "questions": source.questions,
                "scored": source.scored,
                "clips": source.clips,
                "frames": source.frames,
                "seconds": source.seconds,
                "frames_known_from": source.known_from,
            }
            for source in plan.sources
        },
        "not_counted": list(plan.uncounted),
        "stages": [_priced(plan, cost) for cost in plan.costs],
        "reward_schemes": schemes,
        "pairs": plan.pairs,
        "total": {key: value for key, value in _priced(plan, _total(plan)).items() if key not in ("stage", "name")},
        "notes": list(plan.notes),
    }


def _priced(plan: Plan, cost: StageCost) -> dict[str, Any]:
    hours = {"gpu_hours": plan.gpu_hours(cost.flops), "naive_gpu_hours": plan.gpu_hours(cost.naive_flops)}
    return {**vars(cost), **hours}


def _total(plan: Plan) -> StageCost:
    names = [name for name in vars(StageCost("", "", 0)) if name not in ("stage", "name")]
    return StageCost("total", "", **{name: sum(getattr(cost, name) for cost in plan.costs) for name in names})


def _cells(plan: Plan, cost: StageCost) -> tuple[str, ...]:
    return (
        cost.stage,
        cost.name,
        f"{cost.jobs:,}",
        _large(cost.frames),
        _large(cost.tokens),
        f"{cost.flops:.2e}" if cost.flops else "-",
        _hours(plan.gpu_hours(cost.flops)),
        _hours(plan.gpu_hours(cost.naive_flops)),
        _hours(cost.core_hours),
        _bytes(cost.disk_bytes),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Columns as wide as they must be; the first one or two, which have words, to the left."""
    words = 2 if len(head) > 1 and not head[1] else 1
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = [
            text.ljust(width) if column < words else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _large(number: float) -> str:
    if not number:
        return "-"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:,.2f} {letter}"
    return f"{number:,.0f}"


def _hours(hours: float) -> str:
    if not hours:
        return "-"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _bytes(amount: float) -> str:
    if not amount:
        return "-"
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if amount >= size:
            return f"{amount / size:,.1f} {unit}"
    return f"{amount / 1e3:,.1f} kB"
