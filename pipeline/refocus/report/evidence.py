"""What a finished run has shown, as a page: every number is read from the run's own files."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from refocus.core.errors import UsageError
from refocus.core.results_folder import BENCHMARKS, FIGURE, FILTER_SUMMARY, ROOT, TABLE
from refocus.report.claims import claims, headline

SHOWN_TABLES = ("world", "world_frames", "table1", "table4")
SHOWN_FIGURES = ("training", "accuracy", "fig2_variance", "fig9_examples")


def copy_figures(results: Path, folder: Path) -> list[Path]:
    """Copies the figures that the page shows into `folder`; those there are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [FIGURE.at(results, figure=name, suffix="png") for name in SHOWN_FIGURES]
    return [Path(shutil.copy2(path, folder / path.name)) for path in found if path.is_file()]


def page(results: Path, overlays: Sequence[Path], figures: Sequence[Path]) -> str:
    """The page as Markdown.

    Raises:
        UsageError: the run has no tables.
    """
    tables = [TABLE.at(results, table=name, suffix="md") for name in SHOWN_TABLES]
    if not tables[0].is_file():
        raise UsageError(f"{results} holds no finished run of the synthetic world: {tables[0]} is missing")
    world = TABLE.at(results, table="world", suffix="csv")
    options = f" --configfile {' '.join(map(str, overlays))}" if overlays else ""
    commands = [
        f"snakemake --cores all{options}",
        f"python -m refocus evidence --results {results}{options} --out docs/evidence.md",
    ]
    parts = [
        "# What the synthetic world shows",
        "All numbers are of the **synthetic world** and models of about a million parameters. They show that the "
        "implementation works from end to end. They are not results on real videos, and they do not show that "
        "selection has to be learned: in this world, retrieval by cosine does as well ([README](../README.md)).",
        "```sh\n" + "\n".join(commands) + "\n```",
        headline(world),
        claims(world),
        "## Accuracy on held-out videos",
        *(path.read_text(encoding="utf-8").strip() for path in tables if path.is_file()),
        "## The filter",
        *(_filter(path) for path in sorted(results.glob(FILTER_SUMMARY.fill(model="*").removeprefix(ROOT)))),
        "## Seconds and memory",
        _costs(BENCHMARKS.at(results)),
        "## Figures",
        *(f"![{path.stem}]({path.parent.name}/{path.name})" for path in figures),
    ]
    return "\n\n".join(part for part in parts if part)


def _filter(path: Path) -> str:
    summary = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        f"{summary['kept']} of {summary['questions']} questions have a variance above τ = {summary['tau']:g}.",
        "",
        "| category | questions | kept | share |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name or '–'} | {row['questions']} | {row['kept']} | {row['kept_share']:.1%} |"
        for name, row in summary["categories"].items()
    ]
    return "\n".join(lines)


def _costs(folder: Path) -> str:
    """Jobs, seconds and the largest memory of each stage, from Snakemake's benchmark files."""
    lines = ["| stage | jobs | seconds, all jobs | most memory of one job, MB |", "|---|---:|---:|---:|"]
    stages = sorted({path.relative_to(folder).parts[0].removesuffix(".jsonl") for path in folder.rglob("*.jsonl")})
    for stage in stages:
        files = [*folder.glob(f"{stage}.jsonl"), *(folder / stage).glob("*.jsonl")]
        runs = [json.loads(path.read_text(encoding="utf-8").splitlines()[-1]) for path in files]
        seconds, memory = sum(run["s"] for run in runs), max(_number(run["max_rss"]) for run in runs)
        lines.append(f"| {stage} | {len(runs)} | {seconds:.0f} | {memory:.0f} |")
    return "\n".join(lines)


def _number(value: object) -> float:
    """A benchmark's figure; Snakemake writes a text where a job was too quick to be measured."""
    return float(value) if isinstance(value, int | float) else 0.0
