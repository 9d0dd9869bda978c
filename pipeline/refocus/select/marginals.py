"""Selection distributions of a policy (Eq. 10): one table per benchmark and run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from refocus.config.marginals import MarginalsSettings
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of, write_table
from refocus.core.progress import bar
from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question, by_clip
from refocus.select.selector import question_seed

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore
    from refocus.policy.frame_policy import FramePolicy

SCHEMA = pa.schema([("qa_id", pa.string()), ("probability", pa.list_(pa.float32()))])
DURATION = "duration:"  # flag of Video-MME's questions


def drawn_by_lot(questions: Sequence[Question], videos: int | None, seed: int) -> list[Question]:
    """The questions about at most `videos` clips of each duration group (None: all), in their order."""
    groups: dict[str, list[str]] = {}
    for clip_id, asked in by_clip(questions).items():
        group = next((flag for flag in asked[0].flags if flag.startswith(DURATION)), "")
        groups.setdefault(group, []).append(clip_id)
    drawn = {clip for clips in groups.values() for clip in sorted(clips, key=lambda c: question_seed(seed, c))[:videos]}
    return [question for question in questions if question.clip_id in drawn]


def find_marginals(
    policy: "FramePolicy",
    questions: Sequence[Question],
    store: "FrameStore",
    n_frames: int,
    settings: MarginalsSettings,
) -> dict[str, np.ndarray]:
    """(t,) how likely each kept frame of its clip is chosen, by qa_id; nothing of clips without frames.

    Args:
        n_frames: picks of a rollout.
    """
    found: dict[str, np.ndarray] = {}
    for clip_id, asked in bar(by_clip(questions).items(), desc="marginals", unit="clip"):
        if clip_id not in store or not store.record(clip_id).n_frames:
            continue
        images = store.images(clip_id, size=policy.frame_size)
        prompts = [Prompt.of(question) for question in asked]
        seeds = [question_seed(settings.seed, question.qa_id) for question in asked]
        chances = policy.marginals(images, prompts, n_frames, seeds, settings.samples, settings.temperature)
        found |= {question.qa_id: row.cpu().numpy() for question, row in zip(asked, chances, strict=True)}
    return found


def write_marginals(path: Path, found: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> None:
    """Writes one row per question; settings name the benchmark and the selector."""
    columns = {"qa_id": list(found), "probability": [row.tolist() for row in found.values()]}
    write_table(path, pa.table(columns, schema=SCHEMA), "marginals", settings)


def read_marginals(path: Path) -> tuple[str, str, dict[str, np.ndarray]]:
    """The benchmark, the selector, and the distributions by qa_id.

    Raises:
        RefocusError: the file is missing or is no such table.
    """
    try:
        table = pq.read_table(path, columns=SCHEMA.names)
        notes = settings_of(table.schema)
        rows = zip(table["qa_id"].to_pylist(), table["probability"].to_pylist(), strict=True)
        return notes["benchmark"], notes["selector"], {qa_id: np.array(row, float) for qa_id, row in rows}
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise RefocusError(f"{path} is no table of selection distributions: {error}") from None
