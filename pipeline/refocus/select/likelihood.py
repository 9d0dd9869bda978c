"""How likely a policy is to pick each frame, from many rollouts of every question (Eq. 10, Fig. 4).

q questions · t frames
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from refocus.config.likelihood import LikelihoodSettings
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of, write_table
from refocus.core.progress import bar
from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question, by_clip
from refocus.select.policy_selector import NOT_NUMBERS, computing
from refocus.select.selector import question_seed

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore
    from refocus.policy.frame_policy import FramePolicy

SCHEMA = pa.schema(
    [("qa_id", pa.string()), ("frequency", pa.list_(pa.float32())), ("marginal", pa.list_(pa.float32()))]
)


@dataclass(frozen=True)
class Likelihood:
    """Of every kept frame (t,): the share of rollouts that pick it, and p_{v,q} of Eq. 10, which sums to one."""

    frequency: np.ndarray
    marginal: np.ndarray

    def ascending(self, ranking: str) -> list[int]:
        """The frames from the unlikeliest to the likeliest; equally frequent ones by Eq. 10, then in time."""
        keys = (self.marginal, self.frequency) if ranking == "frequency" else (self.marginal,)
        return np.lexsort(keys).tolist()


@dataclass(frozen=True)
class LikelihoodTable:
    """What one policy finds likely in one benchmark.

    selector: the policy, as picks of it are called (`refocus/demo`, `initial/demo`). rows: by qa_id.
    """

    benchmark: str
    selector: str
    rows: Mapping[str, Likelihood]


def likelihoods(
    policy: "FramePolicy",
    store: "FrameStore",
    questions: Sequence[Question],
    n_frames: int,
    settings: LikelihoodSettings,
) -> dict[str, Likelihood]:
    """The likelihood of every question whose clip has frames, by qa_id, in the order of the questions.

    Raises:
        RefocusError: the policy's probabilities are no numbers.
    """
    found: dict[str, Likelihood] = {}
    for clip_id, asked in bar(by_clip(questions).items(), desc="likelihood", unit="clip"):
        if clip_id not in store or not store.record(clip_id).n_frames:
            continue
        images = store.images(clip_id, size=policy.frame_size)
        seeds = [question_seed(settings.seed, question.qa_id) for question in asked]
        prompts = [Prompt.of(question) for question in asked]
        with computing(policy, settings):
            made = policy.likelihood(images, prompts, n_frames, seeds, settings.samples, settings.temperature)
        if made.marginal.isnan().any():
            raise RefocusError(NOT_NUMBERS)
        for question, frequency, marginal in zip(asked, made.frequency.cpu(), made.marginal.cpu(), strict=True):
            found[question.qa_id] = Likelihood(frequency.numpy(), marginal.numpy())
    return {question.qa_id: found[question.qa_id] for question in questions if question.qa_id in found}


def write_likelihoods(path: Path, made: LikelihoodTable, settings: Mapping[str, Any]) -> None:
    """Writes one row per question; whose they are goes into the schema metadata beside the settings."""
    columns = {
        "qa_id": list(made.rows),
        "frequency": [row.frequency for row in made.rows.values()],
        "marginal": [row.marginal for row in made.rows.values()],
    }
    notes = {**settings, "benchmark": made.benchmark, "selector": made.selector}
    write_table(path, pa.table(columns, schema=SCHEMA), "likelihood", notes)


def read_likelihoods(path: Path) -> LikelihoodTable:
    """A table as it was written.

    Raises:
        RefocusError: the file is missing or is no table of likelihoods.
    """
    try:
        table = parquet.read_table(path, columns=SCHEMA.names)
        notes = settings_of(table.schema)
        benchmark, selector = notes["benchmark"], notes["selector"]
    except KeyError as error:
        raise RefocusError(f"{path} is no table of likelihoods: {error}") from None
    rows = {
        row["qa_id"]: Likelihood(np.array(row["frequency"]), np.array(row["marginal"])) for row in table.to_pylist()
    }
    return LikelihoodTable(benchmark, selector, rows)
