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
from itertools import pairwise
from pathlib import Path

from refocus.config.root import Root
from refocus.core.errors import RefocusError
from refocus.core.project import project_root

BOX, ROW, GAP, LETTER = 26, 64, 18, 7.2  # height of a box, of a layer, space between boxes, width of a letter; pixels
TARGET = "all"  # leaves the picture: it needs every rule
HEAD = 5  # of an arrow
SWEEPS = 8

Place = str | tuple[str, str, int]  # a rule, or the way from one to another through a layer


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
    def _depth(self) -> dict[str, int]:
        """How many rules lie before each, on the longest way."""
        found: dict[str, int] = {}

        def deepen(rule: str) -> int:
            if rule not in found:
                found[rule] = 1 + max(map(deepen, self.needs[rule]), default=-1)
            return found[rule]

        for rule in sorted(self.needs):
            deepen(rule)
        return found

    @cached_property
    def _ways(self) -> dict[tuple[str, str], list[Place]]:
        """From a rule to one that needs it, through a place of its own in every layer between."""
        ways: dict[tuple[str, str], list[Place]] = {}
        for rule, needed in sorted(self.needs.items()):
            for one in needed:
                between = range(self._depth[one] + 1, self._depth[rule])
                ways[one, rule] = [one, *((one, rule, layer) for layer in between), rule]
        return ways

    @cached_property
    def layers(self) -> list[list[Place]]:
        """Rules and ways by layer, in an order with few crossings."""
        found: list[list[Place]] = [[] for _ in range(1 + max(self._depth.values(), default=-1))]
        near: dict[Place, list[Place]] = {rule: [] for rule in self.needs}
        for rule, layer in self._depth.items():
            found[layer].append(rule)
        for (rule, _), way in self._ways.items():
            for layer, place in enumerate(way[1:-1], self._depth[rule] + 1):
                found[layer].append(place)
            for one, two in pairwise(way):
                near.setdefault(one, []).append(two)
                near.setdefault(two, []).append(one)
        for _ in range(SWEEPS):
            for layer_of in found:
                at = {place: (n + 0.5) / len(layer) for layer in found for n, place in enumerate(layer)}
                middle = {place: _mean([at[one] for one in near[place]], at[place]) for place in layer_of}
                layer_of.sort(key=middle.__getitem__)
        return found

    @cached_property
    def _middles(self) -> dict[Place, tuple[float, float]]:
        """Where the middle of every rule and way is."""
        made = {}
        for number, layer in enumerate(self.layers):
            x = (self.width - _row(layer)) / 2
            for place in layer:
                made[place] = (round(x + _width(place) / 2, 1), number * ROW + BOX / 2 + 2)
                x += _width(place) + GAP
        return made

    @property
    def boxes(self) -> list[Box]:
        """Where every rule is drawn; the picture begins at (0, 0)."""
        places = [(rule, self._middles[rule]) for rule in sorted(self.needs)]
        return [Box(rule, x, y, round(_width(rule), 1)) for rule, (x, y) in places]

    @cached_property
    def width(self) -> float:
        """Of the picture, pixels."""
        return round(max(map(_row, self.layers), default=0.0) + 4, 1)

    @property
    def height(self) -> float:
        """Of the picture, pixels."""
        return ROW * (len(self.layers) - 1) + BOX + 4

    @property
    def arrows(self) -> list[str]:
        """An SVG path from every rule to each that needs it."""
        return [self._path(way) for way in self._ways.values()]

    def _path(self, way: Sequence[Place]) -> str:
        points = [self._middles[place] for place in way]
        path = f"M{points[0][0]} {points[0][1] + BOX / 2}"
        for number, (one, two) in enumerate(pairwise(points)):
            top = one[1] + BOX / 2
            foot = two[1] - BOX / 2 - (HEAD if number == len(points) - 2 else 0)
            bend = (foot - top) / 2
            path += f"C{one[0]} {top + bend} {two[0]} {foot - bend} {two[0]} {foot}"
            path += "" if number == len(points) - 2 else f"V{two[1] + BOX / 2}"
        return path


def _width(place: Place) -> float:
    return LETTER * len(place) + 20 if isinstance(place, str) else 0.0


def _row(layer: Sequence[Place]) -> float:
    return sum(map(_width, layer)) + GAP * (len(layer) - 1)


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
