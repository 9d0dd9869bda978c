"""The supervised base the policy starts from: a tiny Video-MA2mba that answers the world's questions.

The paper starts from a model tuned on video questions; so does the world. What the base has seen: its tower was taught
to classify single frames (six classes a frame, `alignment.py`), where the paper's SigLIP saw captioned stills. Its
language part learned answers, in the first 60 % of the steps about clips cut to a few events by the events' true times,
then about whole videos. It is never told which frames a question needs.

v clips · t frames · q questions
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from refocus.core.progress import bar
from refocus.lmm.prompts import Prompt
from refocus.policy.config import PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.policy_prompt import after_frames
from refocus.policy.vision import PIXEL_MEAN, PIXEL_STD
from refocus.world.alignment import align, shape_words, warmup_cosine
from refocus.world.scene import Event, Scene, sample_scene
from refocus.world.stream import SIDE, camera, duration, sample_moments
from refocus.world.tasks import WORD_WEIGHT, Mix, RunningAccuracy, Task, sample_task, supervise, weighted_loss
from refocus.world.tokenizer import build_tokenizer

FPS = 4.0
TOKEN_NORM = 8.0  # length of a frame token when the language model starts
# from which share of the training on: the mix of tasks, how many events clips are cut to, by true times (None: not),
# and how many clips a batch of questions is about. What to pick needs reading the frames, so naming comes first.
CURRICULUM: tuple[tuple[float, Mix, int | None, int], ...] = (
    (0.0, (0.1, 0.9, 0.0), 3, 48),
    (0.4, (0.2, 0.8, 0.0), 5, 48),
    (0.6, (0.5, 0.5, 0.0), None, 24),
)
QUESTIONS = 96  # per step
HOLD = 2  # every second frame is drawn and shown twice: half the drawing, as much to learn


def base_config(vocab: int, start_of_frame: int) -> PolicyConfig:
    """About a million parameters: 64×64 pictures, one token a frame, 5 Mamba-2 layers of width 128."""
    vision = {
        "hidden_size": 96,
        "intermediate_size": 288,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": 16,
    }
    return PolicyConfig(
        width=128,
        layers=5,
        state=64,
        head_dim=64,
        chunk=32,
        vocab=vocab,
        start_of_frame=start_of_frame,
        vision=vision,
        pool_stride=4,
    )


@dataclass(frozen=True)
class WorldClip:
    """A drawn video: its scene, the events it shows, and the frozen tower's features (t, p, c) of its frames."""

    scene: Scene
    events: tuple[Event, ...]
    times: np.ndarray
    features: Tensor

    def excerpt(self, rng: np.random.Generator, count: int) -> "WorldClip":
        """The frames of `count` of its events and two frames between events."""
        events = [self.events[i] for i in rng.permutation(len(self.events))[:count]]
        shown = [self.scene.event_at(time_s) for time_s in self.times]
        empty = rng.permutation([i for i, event in enumerate(shown) if event is None])[:2]
        kept = sorted([i for i, event in enumerate(shown) if event in events] + [int(i) for i in empty])
        return WorldClip(self.scene, tuple(events), self.times[kept], self.features[kept])


class BaseTrainer:
    """Trains the supervised base; each method is one phase."""

    def __init__(self, seed: int, config: PolicyConfig | None = None):
        torch.manual_seed(seed)
        self.rng = np.random.default_rng([seed, 2])
        tokenizer = build_tokenizer()
        self._token_ids = tokenizer.get_vocab()
        marker = self._token_ids["<|startofframe|>"]
        self.policy = FramePolicy(config or base_config(len(tokenizer), marker), tokenizer)
        nn.init.normal_(self.policy.backbone.embedding.weight, std=0.08)
        self._warm_start()
        self.pool: list[WorldClip] = []

    def align_tower(self, steps: int, batch: int = 128, lr: float = 4e-3) -> float:
        """Phase one: tower and connector learn to tell what a frame shows; the tower is frozen afterwards."""
        policy = self.policy
        for name, parameter in policy.vision.named_parameters():
            parameter.requires_grad_(True)
            if parameter.dim() > 1 and "position" not in name:
                nn.init.trunc_normal_(parameter, std=0.08)
        size = (policy.config.tokens_per_frame, policy.config.width)
        parameters = [*policy.vision.parameters(), *policy.connector.parameters()]
        accuracy = align(
            lambda pictures: policy.connector(policy.vision(_pixels(pictures))),
            parameters,
            size,
            shape_words(policy.backbone.embedding, policy.tokenizer),
            self.rng,
            steps=steps,
            batch=batch,
            lr=lr,
        )
        policy.vision.requires_grad_(False)
        self._scale_connector()
        return accuracy

    def teach(
        self, steps: int, *, lr: float, questions: int = QUESTIONS, fresh: int = 4, start: int = 100, pool: int = 240
    ) -> float:
        """Phase two: the answers, with tower and connector as they were aligned; at this rate they would forget it.

        Every step draws `fresh` new videos into a pool of `start` to `pool` and asks new questions about some of them.

        Returns:
            Accuracy of answers about moments, in words after the options, over the last tasks.
        """
        parameters = list(self.policy.backbone.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(steps))
        accuracy = RunningAccuracy()
        progress = bar(range(steps), desc="teach base policy", unit="step")
        for step in progress:
            self._draw(fresh if self.pool else start)
            self.pool = self.pool[-pool:]
            _, mix, events, clips = next(stage for stage in reversed(CURRICULUM) if step >= stage[0] * steps)
            chosen = [self.pool[i] for i in self.rng.permutation(len(self.pool))[:clips]]
            if events is not None:
                chosen = [clip.excerpt(self.rng, events) for clip in chosen]
            each = max(1, questions // len(chosen))
            tasks = [[sample_task(self.rng, clip.scene, clip.events, mix) for _ in range(each)] for clip in chosen]
            logits, targets, weights, ends = self.due_logits(chosen, tasks)
            loss = weighted_loss(logits, targets, weights)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            flat = [task for row in tasks for task in row]
            names = [q.form if q.kind.startswith("moment") or q.form == "find" else "static" for q in flat]
            accuracy.add_all(names, ends, (logits.argmax(-1) == targets).tolist())
            if step % 10 == 0:
                progress.set_postfix({"loss": f"{loss.item():.2f}", **accuracy.shown()})
        return accuracy.share("choose")

    def due_logits(self, clips: list[WorldClip], tasks: list[list[Task]]) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """Logits (m, vocab) where tokens are due, those tokens, their weights (m,), where each task's part ends."""
        policy = self.policy
        row = torch.tensor([v for v, asked in enumerate(tasks) for _ in asked])
        flat = [task for asked in tasks for task in asked]
        prompts = [after_frames(policy.config.prompt, Prompt(task.text, task.options)) for task in flat]
        asked = [supervise(policy.tokenizer, text, task) for text, task in zip(prompts, flat, strict=True)]
        for task, (_, wanted) in zip(flat, asked, strict=True):
            # the word, not the letter: what was asked for must stay in mind to the end, where frames are picked
            wanted[-1] = (wanted[-1][0], self._token_ids[task.word], WORD_WEIGHT)
        state = policy.prefix([clip.features for clip in clips]).state.expand(row)
        hidden, _, _ = policy.read([ids for ids, _ in asked], state)
        due = torch.tensor([(q, position) for q, (_, wanted) in enumerate(asked) for position, _, _ in wanted])
        tokens = torch.tensor([token for _, wanted in asked for _, token, _ in wanted])
        weights = torch.tensor([weight for _, wanted in asked for _, _, weight in wanted])
        ends = np.cumsum([len(wanted) for _, wanted in asked]).tolist()
        return policy.answer_logits(hidden[due[:, 0], due[:, 1]]), tokens, weights, ends

    @torch.no_grad()
    def _scale_connector(self) -> None:
        """Frame tokens leave the alignment some fifty times as long as words; layers could add nothing to them."""
        pictures = camera(self.rng, sample_moments(self.rng, 32, 4))
        length = self.policy.connector(self.policy.encode(pictures)).norm(dim=-1).mean()
        for parameter in self.policy.connector.fc2.parameters():
            parameter.mul_(TOKEN_NORM / length)

    @torch.no_grad()
    def _warm_start(self) -> None:
        """Starts every layer as a memory that is asked by content: what is like the query is what comes back.

        B and C start equal, steps are large and states decay slowly. From the reference initialization, made for long
        pretraining, the first hundreds of steps teach nothing.
        """
        for block in self.policy.backbone.layers:
            mixer, inner, size = block.mixer, block.mixer.inner, block.mixer.state
            key, query = slice(inner, inner + size), slice(inner + size, inner + 2 * size)
            dt = torch.exp(torch.rand(mixer.heads) * math.log(10) + math.log(0.05))
            mixer.dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # softplus(dt_bias) = dt
            mixer.A_log.copy_(torch.rand(mixer.heads) * math.log(100) + math.log(0.01))
            mixer.conv1d.weight.mul_(0.5)
            mixer.conv1d.weight[:, :, -1] += 1.0
            mixer.conv1d.weight[query], mixer.conv1d.bias[query] = mixer.conv1d.weight[key], mixer.conv1d.bias[key]
            rows = mixer.in_proj.weight[inner:]  # after z: x, B, C, dt
            rows[query] = rows[key]

    def save(self, folder: Path) -> None:
        """Writes the model folder, weights as float16."""
        self.policy.save_pretrained(folder, torch.float16)

    def _draw(self, count: int) -> None:
        scenes = [sample_scene(self.rng, duration(self.rng)) for _ in range(count)]
        times = [np.arange(0, scene.duration_s, HOLD / FPS) for scene in scenes]
        moments = [(scene, float(t)) for scene, row in zip(scenes, times, strict=True) for t in row]
        features = self.policy.encode(camera(self.rng, moments)).split([len(row) for row in times])
        self.pool += [
            WorldClip(scene, scene.events, row.repeat(HOLD), part.repeat_interleave(HOLD, 0))
            for scene, row, part in zip(scenes, times, features, strict=True)
        ]


def _pixels(pictures: np.ndarray) -> Tensor:
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - PIXEL_MEAN) / PIXEL_STD
