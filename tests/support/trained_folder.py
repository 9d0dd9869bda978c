"""A policy folder as training leaves it, without training: a tiny random policy, described."""

from pathlib import Path
from typing import Any

import torch
from refocus.config.decode import DecodeSettings
from refocus.core.checksums import CARD
from refocus.core.files import write_text
from refocus.policy.model_card import card_of
from refocus.policy.provenance import DataSet, Filtered, Provenance, UsedModel, Validated, write_provenance
from refocus.policy.trained_for import TrainedFor, write_trained_for

from tests.support.tiny_policy import build_policy

TRAINED_FOR = TrainedFor.of(2, DecodeSettings(size=32))


def provenance(**changes: Any) -> Provenance:
    """Of a run on one real data set, three sources of which are known."""
    made = Provenance(
        run="mine",
        state="policy",
        step=50,
        steps=50,
        command="refocus train --config mine.yaml --out …/mine",
        processes=2,
        made_by={"refocus": "0.2.0", "commit": None, "python": "3.11.9", "packages": {"torch": "2.13.0"}},
        seed=3,
        learned_from="filtered",
        settings={"train": {"candidates": 16, "picks": 2}, "policy": {"start": "interlive/video-ma2mba-1.3b"}},
        base=UsedModel(name="interlive/video-ma2mba-1.3b", hub=True, weights="0123456789ab"),
        reward_model=UsedModel(name="…/lmm", hub=False, weights="ba9876543210"),
        data=(_of("vista", "vista", 400, 90), _of("films", "cinepile", 30, 7), _of("own", "my.adapter:read", 12, 3)),
        left_out={"no frames": 4},
        filter=Filtered(settings={"tau": 0.21, "ddof": 1}, questions=4000, kept=446, dropped_as={"leaked": 9}),
        validation=Validated(
            step=50, questions=8, videos=4, accuracy=0.75, accuracy_uniform=0.5, reward=0.4, reward_uniform=-0.1
        ),
        fingerprints={"questions": "00112233aabb"},
    )
    return made.model_copy(update=changes)


def _of(name: str, format: str, questions: int, videos: int) -> DataSet:
    return DataSet(
        name=name, format=format, synthetic=False, questions=questions, videos=videos,
        held_back_questions=questions // 10, held_back_videos=1,
    )  # fmt: skip


def write_trained(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Writes it."""
    build_policy(seed, torch.float32).save_pretrained(folder)
    write_trained_for(folder, TRAINED_FOR)
    made = provenance(**changes)
    write_provenance(folder, made)
    write_text(folder / CARD, card_of(made, TRAINED_FOR).content)
    return folder
