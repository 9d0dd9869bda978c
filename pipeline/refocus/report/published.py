"""The paper's numbers (tables 1 to 4), found only for rows that measure the same thing."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from refocus.config.selectors import kind_of

UNSTATED = (1, 2)  # tables without a number of frames
POLICY = "video-ma2mba"  # Table 3 is about the policy alone


@dataclass(frozen=True)
class Published:
    """One printed figure in percent, its printed gain over uniform if any, and where it stands."""

    value: float
    gain: float | None
    source: str


def published(table: int, lmm_path: str, benchmark: str, group: str, frames: int, selector: str) -> Published | None:
    """What the paper prints for this row, or None.

    Args:
        table: 1, 2 or 4; 3 is found by `published_distance`.
        lmm_path: folder or hub id of the LMM; its last part decides which model it is.
        benchmark: format of the benchmark: videomme, mlvu, longvideobench, videommmu.
        group: short, medium, long, overall, m-avg, or a track of Video-MMMU or its `delta`.
        frames: number of frames. Tables 1 and 2 do not state one; they are compared at 32.
        selector: a selector's name; `refocus/<run>` is the paper's ReFoCUS row, `uniform` its plain model.
    """
    checkpoint = lmm_path.rstrip("/").split("/")[-1].lower().removesuffix("-hf")
    if table in UNSTATED and frames != 32:
        return None
    key = (str(table), checkpoint, benchmark, group, "" if table in UNSTATED else str(frames), kind_of(selector))
    return _rows().get(key)


def published_distance(metric: str, group: str) -> Published | None:
    """What Table 3 prints. metric: js, kl or wasserstein; group: short, medium or long."""
    return _rows().get(("3", POLICY, "videomme", f"{metric}.{group}", "", "refocus"))


@cache
def _rows() -> dict[tuple[str, ...], Published]:
    text = files("refocus.report").joinpath("published.csv").read_text(encoding="utf-8")
    rows = {}
    for row in csv.DictReader(text.splitlines()):
        if row["checkpoint"]:
            key = (
                row["table"],
                row["checkpoint"].lower(),
                *(row[name] for name in ("benchmark", "group", "frames", "selector")),
            )
            rows[key] = Published(float(row["value"]), float(row["gain"]) if row["gain"] else None, row["source"])
    return rows
