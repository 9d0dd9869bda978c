"""Small runs of the shipped overlays, and what each must reach: tests/recipes/recipes.yaml.

`make recipes` runs them all, `make recipes RECIPES="beta frames"` some. Each is a run of the workflow over files that
can be run by hand; killed or stopped, the same command goes on.
"""

import argparse
import functools
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from refocus.config.base import Strict
from refocus.config.layers import merge, read
from refocus.config.overlay import check
from refocus.config.root import Root
from refocus.core.files import write_json, write_text
from refocus.core.results_folder import METRICS
from refocus.report.series import read_metrics

from tests.support.recipe_metrics import Finding, findings, page

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "recipes" / "recipes.yaml"
Snakemake = Callable[..., "subprocess.CompletedProcess[str]"]


class Recipe(Strict):
    """A small run of one or more overlays."""

    overlays: tuple[str, ...]
    sections: tuple[str, ...] | None = None  # of the overlays, where not all of it fits a small world
    settings: dict[str, Any] = {}  # laid over the overlays, to make the run small
    folder: str | None = None  # shared with other recipes that differ in training only; None: its own
    fast: bool = False  # also run by `make test`
    runs: dict[str, dict[str, float | None]]  # run → metric → bound, beside or in place of those of all; null: none


class Recipes(Strict):
    """All of them."""

    settings: dict[str, Any]  # of every recipe, below its own
    at_least: dict[str, float]  # metric → bound of every run that has no other
    recipes: dict[str, Recipe]

    def overlay(self, name: str, results: Path) -> dict[str, Any]:
        """What is laid over config.yaml, with results below `results`."""
        recipe = self.recipes[name]
        overlays = functools.reduce(merge, (read(ROOT / path) for path in recipe.overlays), {})
        if recipe.sections is not None:
            overlays = {section: overlays[section] for section in recipe.sections}
        folder = {"results": str(results / (recipe.folder or name))}
        return functools.reduce(merge, (self.settings, recipe.settings, folder), overlays)

    def root(self, name: str, results: Path = Path("results/recipes")) -> Root:
        """The typed settings of a recipe."""
        return check(merge(read(ROOT / "config.yaml"), self.overlay(name, results)))

    def bounds(self, name: str, run: str) -> dict[str, float]:
        """What the metrics of a run must reach."""
        wanted = {**self.at_least, **self.recipes[name].runs[run]}
        return {metric: bound for metric, bound in wanted.items() if bound is not None}

    def measure(self, name: str, results: Path, snakemake: Snakemake) -> list[Finding]:
        """Runs a recipe as far as it has not been run, and compares its metrics with their bounds."""
        file = results / f"{name}.json"
        write_json(file, self.overlay(name, results))
        root = self.root(name, results)
        runs = self.recipes[name].runs
        files = {run: METRICS.at(root.results, run=run) for run in runs}
        for path in {lmm.path for lmm in root.lmms.values() if lmm.path.startswith("results/assets/")}:
            snakemake("--", f"{path}/model.safetensors")  # the second LMM, which is not shipped
        done = snakemake("--configfile", str(file), "--", *map(str, files.values()))
        lines = {run: read_metrics(path) if done.returncode == 0 else None for run, path in files.items()}
        return [found for run in runs for found in findings(name, run, self.bounds(name, run), lines[run])]


def shipped() -> Recipes:
    """The recipes of the project."""
    return Recipes.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def main(words: Sequence[str] | None = None) -> int:
    """Runs recipes one after the other; prints a table, and at the end what is not as it should be."""
    recipes = shipped()
    parser = argparse.ArgumentParser(prog="make recipes", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="RECIPE", help=f"which (default: all): {', '.join(recipes.recipes)}"
    )
    parser.add_argument("--results", type=Path, default=Path("results/recipes"), help="default: %(default)s")
    parser.add_argument("--cores", default="all", help="for Snakemake (default: %(default)s)")
    args = parser.parse_args(words)
    if unknown := set(args.names) - set(recipes.recipes):
        parser.error(f"no recipe is called {', '.join(sorted(unknown))}")

    def snakemake(*rest: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "snakemake", "--cores", args.cores, "--quiet", "rules", "host", "--keep-going"]
        return subprocess.run([*command, *rest], cwd=ROOT, text=True)

    found: list[Finding] = []
    for name in args.names or recipes.recipes:
        made = recipes.measure(name, args.results, snakemake)
        found += made
        sys.stdout.write(page(made))
        sys.stdout.flush()
        write_text(args.results / "recipes.md", page(found))
    missed = [str(one) for one in found if not one.met]
    sys.stdout.write("\n".join([*missed, f"{len(found) - len(missed)} of {len(found)} bounds hold\n"]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
