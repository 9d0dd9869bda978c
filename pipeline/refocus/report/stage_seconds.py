"""What every stage took, from the benchmark files that Snakemake writes."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StageSeconds:
    """A stage's jobs, the seconds of all of them, and the most memory of one, MB."""

    stage: str
    jobs: int
    seconds: float
    memory_mb: float


def stage_seconds(folder: Path) -> list[StageSeconds]:
    """Every stage that has benchmark files in a folder, by name; the last attempt of each job counts."""
    stages = sorted({path.relative_to(folder).parts[0].removesuffix(".jsonl") for path in folder.rglob("*.jsonl")})
    found = []
    for stage in stages:
        files = [*folder.glob(f"{stage}.jsonl"), *(folder / stage).glob("*.jsonl")]
        lines = [path.read_text(encoding="utf-8").splitlines() for path in files]
        runs = [json.loads(attempts[-1]) for attempts in lines if attempts]  # of a killed job there may be none
        memory = max((_number(run["max_rss"]) for run in runs), default=0.0)
        found.append(StageSeconds(stage, len(runs), sum(run["s"] for run in runs), memory))
    return found


def _number(value: object) -> float:
    """A benchmark's figure; Snakemake writes a text where a job was too quick to be measured."""
    return float(value) if isinstance(value, int | float) else 0.0
