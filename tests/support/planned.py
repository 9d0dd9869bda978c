"""A configuration to plan: a data set and a benchmark of which little is known, an LMM, a run."""

from pathlib import Path
from typing import Any

from refocus.config.layers import merge
from refocus.config.overlay import check
from refocus.config.root import Root

VALUES = {
    "use": {"datasets": ["toy"], "benchmarks": ["exam"], "lmms": ["lmm"], "runs": ["r"], "selectors": ["uniform"]},
    "datasets": {"toy": {"shards": 3, "videos": "videos"}},
    "benchmarks": {"exam": {"shards": 2, "videos": "videos"}},
    "reward": {"model": "lmm"},
    "runs": {"r": {}},
    "train": {"reward_model": "lmm"},
    "lmms": {"lmm": {"path": "OpenGVLab/InternVL3-1B-hf"}},
    "answer": {"n_frames": [8, 32]},
    "plan": {"sources": {"exam": {"questions": 100, "clips": 10, "seconds": [8.0, 200.0]}}},
}


def configured(tmp_path: Path, **changes: Any) -> Root:
    """It, with the results below `tmp_path`, with some sections changed."""
    base = {**VALUES, "results": str(tmp_path)}
    base["datasets"] = {"toy": {**VALUES["datasets"]["toy"], "videos": str(tmp_path / "videos")}}
    return check(merge(base, changes))
