"""What a finished run has shown, as a page: one table for the claim, then pictures, then the details."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from refocus.core.errors import UsageError
from refocus.core.results_folder import BENCHMARKS, FIGURE, FILTER_SUMMARY, ROOT
from refocus.report import bars, captions
from refocus.report.selector_table import kind_table, selector_table
from refocus.report.stage_seconds import stage_seconds
from refocus.report.study import Study

SHOWN_FIGURES = {
    "selectors": "Accuracy of every selector, by what must be seen to answer; learned ones are means over the seeds.",
    **{
        name: captions.FIGURES[name]
        for name in ("evidence_recall", "fig4_likelihood", "fig5_niah", "training", "fig9_examples", "fig2_variance")
    },
}


def copy_figures(results: Path, folder: Path) -> list[Path]:
    """Copies the figures that the page shows into `folder`; those there are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [FIGURE.at(results, figure=name, suffix="png") for name in SHOWN_FIGURES]
    return [Path(shutil.copy2(path, folder / path.name)) for path in found if path.is_file()]


def page(study: Study, commands: Sequence[str], figures: Sequence[Path]) -> str:
    """The page as Markdown.

    Raises:
        UsageError: nothing was answered.
    """
    if not study.results.lmms:
        raise UsageError(f"{study.folder} holds no finished run of this configuration: there are no answers")
    must = bars.bars(study)
    best = study.best_baseline()
    parts = [
        "# What the synthetic world shows",
        _intro(study),
        "```sh\n" + "\n".join(commands) + "\n```",
        f"**Not run, and left out below:** {', '.join(study.missing)}." if study.missing else "",
        "## What reaches what",
        selector_table(study),
        f"`{best}` is the best without training: of all selectors that need none, the one of highest mean on questions "
        "about one or two moments, chosen on these very questions. Left aside are `confidence`, which asks the "
        f"answering LMM about every frame, `uniform-seen`, which hands it up to {study.root.training_free.seen_frames} "
        "frames where it was taught to read 1 to 8, and the oracle, which knows when the evidence is visible. Costs "
        "are those of picking, without answering; a clip's frames go through the tower once for all its questions."
        if best
        else "",
        bars.verdict(must),
        bars.table(must) if must else "",
        "## Kind by kind",
        kind_table(study),
        "## Pictures",
        *(f"![{path.stem}]({path.parent.name}/{path.name})\n\n{SHOWN_FIGURES[path.stem]}" for path in figures),
        "## The filter",
        *(_filter(path) for path in sorted(study.folder.glob(FILTER_SUMMARY.fill(model="*").removeprefix(ROOT)))),
        "## Seconds and memory",
        _costs(BENCHMARKS.at(study.folder)),
    ]
    return "\n\n".join(part for part in parts if part)


def _intro(study: Study) -> str:
    root, seeds = study.root, len(study.base.runs) if study.base else 0
    learned = {
        0: "no run in use has the configuration's own training settings, so that no learned row is shown",
        1: "the learned rows are one training seed",
    }.get(seeds, f"learned rows are means of {seeds} training seeds")
    alone = ", which do not say what another training seed would change" if seeds else ""
    rewarded = ", which also gave the rewards" if root.use.lmms[0] == root.train.reward_model else ""
    world = f", version {root.world.version}, seed {root.world.seed}" if root.world else ""
    return (
        f"All numbers are of the **synthetic world**{world}, and models of about a million parameters: they are not "
        f"results on real videos, and depend on the processor. Accuracy in % on held-out videos from "
        f"{root.main_n_frames} picks, answered by the LMM `{root.use.lmms[0]}`{rewarded}; {learned}. Questions are "
        "named by what must be seen to answer them: two moments, one moment, or any frame. "
        f"Differences are paired by question, with {root.tables.confidence_level:.0%} intervals over videos{alone}; "
        "longer clips are other videos than shorter ones, so that their difference is not paired. In brackets behind a "
        "mean: each seed."
    )


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
    for one in stage_seconds(folder):
        lines.append(f"| {one.stage} | {one.jobs} | {one.seconds:.0f} | {one.memory_mb:.0f} |")
    return "\n".join(lines)
