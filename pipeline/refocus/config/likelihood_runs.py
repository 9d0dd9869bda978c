"""Whose likelihoods are measured, and on which benchmarks."""

from refocus.config.root import Root
from refocus.config.selectors import SelectorName
from refocus.config.variants import variants


def likely_runs(root: Root) -> list[str]:
    """The runs that `refocus/<run>` in use names, of the first such run's setting: its seeds, in the order of use."""
    if not root.likelihood.samples:
        return []
    parsed = [SelectorName.parse(selector) for selector in root.use.selectors]
    asked = [name.run for name in parsed if name.kind == "refocus" and name.run]
    first = next((variant.runs for variant in variants(root) if asked and asked[0] in variant.runs), ())
    return [run for run in asked if run in first]


def initial_runs(root: Root) -> list[str]:
    """Those of them whose policy before training is in use too (Table 3)."""
    return [run for run in likely_runs(root) if f"initial/{run}" in root.use.selectors]


def likely_benchmarks(root: Root) -> list[str]:
    """The benchmarks in use, without those of which all frames are the same."""
    return [name for name in root.use.benchmarks if not root.benchmarks[name].before_lecture]


def benchmarks_of_table3(root: Root) -> list[str]:
    """Those of Table 3, which is about Video-MME."""
    return [name for name in likely_benchmarks(root) if root.benchmarks[name].format == "videomme"]
