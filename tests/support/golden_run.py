"""The demo's training in small, on any processor: its settings, models and world, recorded draws and rewards.

Another processor rounds otherwise; a draw near the edge between two frames may then fall to the other side, and from
there on two correct runs differ. So the drawn subsets and their rewards are recorded: each is compared where it is
made, and the run goes on with the recorded one. What is left is a smooth function of the weights. The policy computes
in float64 from its initialisation on; the reward model in float32, as in the demo.

After an intended change of the mathematics, `PYTHONPATH=pipeline python -m tests.support.golden_run` records anew.
"""

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from refocus.config.overlay import load
from refocus.config.train import TrainSettings
from refocus.lmm import load_lmm
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.rollout import Rollout, rollout
from refocus.qa.records import Question
from refocus.train.data import build
from refocus.train.loop import Trainer
from refocus.train.reward_model import LmmRewardModel, Rewards
from refocus.train.run_log import METRICS, read
from refocus.video.frame_plan import grid
from refocus.world.draw import draw
from refocus.world.stream import SIDE
from refocus.world.world_plan import plan

from tests.support.asked import asked

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "tests" / "train" / "golden_curves.json"
SHORTEST = 6  # of the data set's videos
# 20 steps of the demo; and of several updates on each batch, where the ratio and its clamp are at work.
RUNS: dict[str, tuple[int, dict[str, Any]]] = {
    "demo": (20, {}),
    "two updates": (4, {"updates": 2, "ratio_clamp": 0.02, "lr_decay": "linear", "max_steps": 8}),
}
SLICE = {"batch": 8, "clips_per_batch": 4, "validation_share": 0.0}
CURVES = (
    "reward/mean", "reward/group_std", "advantage/abs_max", "policy/entropy", "policy/entropy_share",
    "policy/ratio_mean", "policy/last_ratio_mean", "policy/last_ratio_max", "grad_norm", "lr/pretrained", "lr/new",
)  # fmt: skip


class Draws:
    """The subsets and rewards of a run: recorded as they are made, or compared and replaced by the recorded."""

    def __init__(self, judge: LmmRewardModel, recorded: Sequence[Mapping[str, Any]] | None):
        self.judge, self.recorded = judge, recorded
        self.made: list[dict[str, Any]] = []
        self.others = 0  # candidates drawn otherwise than recorded
        self.reward_gap = 0.0  # largest difference from a recorded reward

    def draw(self, *args: Any) -> Rollout:
        """`rollout`, with the recorded picks."""
        drawn = rollout(*args)
        if self.recorded is None:
            self.made.append({"picks": drawn.picks.tolist()})
            return drawn
        self.made.append({})
        picks = torch.tensor(self.recorded[len(self.made) - 1]["picks"])
        self.others += int((drawn.picks != picks).any(-1).sum())
        return Rollout(picks, drawn.logp)

    def __call__(self, questions: Sequence[Question], subsets: Sequence[Sequence[tuple[int, ...]]]) -> Rewards:
        """The reward model, with the recorded rewards."""
        found = self.judge(questions, subsets)
        rounded = [[round(value, 6) for value in row] for row in found.reward.tolist()]
        self.made[-1]["reward"] = rounded
        if self.recorded is None:
            return Rewards(torch.tensor(rounded, dtype=torch.float64), found.correct)
        reward = torch.tensor(self.recorded[len(self.made) - 1]["reward"], dtype=torch.float64)
        self.reward_gap = max(self.reward_gap, float((found.reward - reward).abs().max()))
        return Rewards(reward, found.correct)


@contextmanager
def golden_trainer(
    name: str, folder: Path, recorded: Sequence[Mapping[str, Any]] | None
) -> Iterator[tuple[Trainer, Draws]]:
    """The trainer of one of `RUNS`, and what it draws."""
    root = load([ROOT / "config.yaml"])
    steps, changes = RUNS[name]
    settings = root.run_train("demo")
    runtime = settings.runtime.model_copy(update={"processes": 1, "tensorboard": False, "checkpoint_every": 10**6})
    settings = TrainSettings.model_validate(settings.model_dump() | SLICE | changes | {"runtime": runtime.model_dump()})
    videos = sorted(plan(root.world, "nextqa"), key=lambda video: video.scene.duration_s)[:SHORTEST]
    frames, questions = {}, []
    for video in videos:
        times = grid(video.scene.duration_s, root.decode.fps, root.decode.max_frames)
        for number, q in enumerate(video.questions):
            question = asked("nextqa", f"{video.number}.mp4", f"{q.text}?", q.options, source_id=str(number))
            right = {"answer_index": q.answer_index, "answer_text": q.answer}
            questions.append(dataclasses.replace(question, **right))
        frames[questions[-1].clip_id] = draw([(video.scene, time_s) for time_s in times], SIDE, SIDE)
    policy_settings = root.run_policy("demo")
    policy = FramePolicy.from_pretrained(ROOT / policy_settings.start, policy_settings).double()
    policy.initialise_selection(policy_settings, settings.seed)
    lmm = load_lmm(str(ROOT / root.lmms[settings.reward_model].path), device="cpu", dtype="float32")
    seen = {clip: policy.encode(images) for clip, images in frames.items()}
    judged = {clip: lmm.encode(images) for clip, images in frames.items()}
    draws = Draws(LmmRewardModel(lmm, judged.__getitem__), recorded)
    data = build(questions, lambda clip: len(frames[clip]), settings)
    trainer = Trainer(
        policy, data, seen.__getitem__, draws, settings,
        reinit_layers=policy_settings.reinit_layers, work=folder / "work", out=folder / "out",
    )  # fmt: skip
    trainer.steps = steps
    with mock.patch("refocus.train.step.rollout", draws.draw):
        yield trainer, draws


def curves(trainer: Trainer) -> dict[str, list[float]]:
    """Runs it; what its steps say, and how far its weights have gone."""
    before = {name: tensor.clone() for name, tensor in trainer.policy.state_dict().items()}
    trainer.run()
    lines = read(trainer.out / METRICS)
    moved = [float((tensor - before[name]).norm()) for name, tensor in trainer.policy.state_dict().items()]
    found = {key: [line[key] for line in lines] for key in CURVES}
    return found | {"weights/moved": [float(torch.tensor(moved, dtype=torch.float64).norm())]}


def main() -> None:
    """Writes the record."""
    record = {}
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder, golden_trainer(name, Path(folder), None) as (trainer, draws):
            record[name] = {"curves": curves(trainer), "draws": draws.made}
    text = json.dumps(record, separators=(",", ":"))
    RECORD.write_text(text.replace('{"picks"', '\n{"picks"').replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
