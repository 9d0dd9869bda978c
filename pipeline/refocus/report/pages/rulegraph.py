"""The rules of a configuration and which needs which: asked of Snakemake, drawn in layers."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from refocus.config.root import Root
from refocus.core.errors import RefocusError
from refocus.core.project import project_root

BOX, ROW, GAP, LETTER = 26, 64, 18, 7.2  # height of a box, of a layer, space between boxes, width of a letter; pixels
TARGET = "all"  # leaves the picture: it needs every rule
SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A rule in the picture: its middle, and the width of its box."""

    name: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Rulegraph:
    """Which rule needs which, without itself and without what follows from the rest. needs: by rule."""

    needs: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], rules: Iterable[str]) -> "Rulegraph":
        """From all rules, and pairs of a rule and one that needs it."""
        direct: dict[str, set[str]] = {rule: set() for rule in rules}
        for rule, later in pairs:
            direct[later] |= {rule} - {later}
        reached: dict[str, set[str]] = {}

        def reach(rule: str) -> set[str]:
            if rule not in reached:
                reached[rule] = direct[rule].union(*map(reach, direct[rule]))
            return reached[rule]

        return cls(
            {
                rule: sorted(one for one in needed if not any(one in reach(other) for other in needed))
                for rule, needed in direct.items()
            }
        )

    @cached_property
    def layers(self) -> list[list[str]]:
        """The rules by how many others lie before them, each layer in an order with few crossings."""
        depth: dict[str, int] = {}

        def deepen(rule: str) -> int:
            if rule not in depth:
                depth[rule] = 1 + max(map(deepen, self.needs[rule]), default=-1)
            return depth[rule]

        found: list[list[str]] = [[] for _ in range(1 + max(map(deepen, sorted(self.needs)), default=-1))]
        for rule in sorted(self.needs):
            found[depth[rule]].append(rule)
        near: dict[str, list[str]] = {rule: list(needed) for rule, needed in self.needs.items()}
        for rule, needed in self.needs.items():
            for one in needed:
                near[one].append(rule)
        for _ in range(SWEEPS):
            place = {rule: (at + 0.5) / len(layer) for layer in found for at, rule in enumerate(layer)}
            for layer in found:
                layer.sort(key=lambda rule: _mean([place[one] for one in near[rule]], place[rule]))
        return found

    @cached_property
    def boxes(self) -> dict[str, Box]:
        """Where every rule is drawn; the picture begins at (0, 0)."""
        made = {}
        for number, layer in enumerate(self.layers):
            widths = [LETTER * len(rule) + 20 for rule in layer]
            x = (self.width - sum(widths) - GAP * (len(layer) - 1)) / 2
            for rule, width in zip(layer, widths, strict=True):
                made[rule] = Box(rule, round(x + width / 2, 1), number * ROW + BOX / 2 + 2, round(width, 1))
                x += width + GAP
        return made

    @cached_property
    def width(self) -> float:
        """Of the picture, pixels."""
        rows = [sum(LETTER * len(rule) + 20 for rule in layer) + GAP * (len(layer) - 1) for layer in self.layers]
        return round(max(rows, default=0.0) + 4, 1)

    @property
    def height(self) -> float:
        """Of the picture, pixels."""
        return ROW * (len(self.layers) - 1) + BOX + 4

    @property
    def arrows(self) -> list[str]:
        """An SVG path from every rule to each that needs it."""
        paths = []
        for rule, needed in sorted(self.needs.items()):
            for one in needed:
                start, end = self.boxes[one], self.boxes[rule]
                top, foot = start.y + BOX / 2, end.y - BOX / 2 - 5
                bend = (foot - top) / 2
                paths.append(f"M{start.x} {top}C{start.x} {top + bend} {end.x} {foot - bend} {end.x} {foot}")
        return paths


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def parse(dot: str) -> Rulegraph:
    """The graph that `snakemake --rulegraph` prints, without its target."""
    names = dict(re.findall(r'^\s*(\d+)\[label = "([^"]+)"', dot, re.MULTILINE))
    pairs = [(names[one], names[two]) for one, two in re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)]
    kept = [name for name in names.values() if name != TARGET]
    return Rulegraph.of([(one, two) for one, two in pairs if TARGET not in (one, two)], kept)


def ask_snakemake(root: Root, results: Path) -> str:
    """What `snakemake --rulegraph` says of a configuration whose results lie in a folder.

    Raises:
        RefocusError: Snakemake is not installed, or cannot plan the run from here.
    """
    if find_spec("snakemake") is None:
        raise RefocusError("Snakemake is not installed here")
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "configuration.json"
        values = {**root.model_dump(mode="json"), "results": str(results)}
        overlay.write_text(json.dumps(values), encoding="utf-8")
        words = ["--snakefile", str(project_root() / "Snakefile"), "--configfile", str(overlay), "--rulegraph"]
        line = [sys.executable, "-P", "-m", "snakemake", *words]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE_")}
        done = subprocess.run(line, capture_output=True, text=True, env=environment)
    if done.returncode or "digraph" not in done.stdout:
        said = [text for text in done.stderr.splitlines() if text.strip()] or ["no reason given"]
        raise RefocusError(f"Snakemake cannot plan this run from {Path.cwd()}: {said[-1]}")
    return done.stdout[done.stdout.index("digraph") :]
