"""The supervised base the policy starts from: a tiny Video-MA2mba that answers the world's questions.

The paper starts from a model tuned on video questions; so does the world. Its tower is the vision half of the world's
SigLIP (`contrast.py`), which has seen captioned stills, and stays frozen. Its connector and language part learn from
captioned stills too, some of whose captions say all that is to be seen, then from questions and answers about whole
videos, short ones with few events first. Nothing tells it when something happens.

v clips · t frames · q questions
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.core.progress import bar
from refocus.lmm.prompts import Prompt
from refocus.policy.config import PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.policy_prompt import after_frames
from refocus.world.captions import Caption, caption, full_caption, matches, sayable
from refocus.world.contrast import LAYERS, PATCH, STILLS, WIDTH
from refocus.world.lessons import CURRICULUM, LEAST, Stage
from refocus.world.scene import Scene, sample_scene
from refocus.world.schedule import Descent, warmup_cosine, warmup_decay
from refocus.world.stream import SIDE, camera, duration, sample_moments
from refocus.world.tasks import (
    WORD_WEIGHT,
    RunningAccuracy,
    Task,
    all_due,
    sample_task,
    supervise,
    tell_task,
    weighted_loss,
)
from refocus.world.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import SiglipModel

FPS = 4.0
TOKEN_NORM = 8.0  # length of a frame token when the language model starts
QUESTIONS = {"name": 128, "choose": 64}  # per step: options make a question three times as long
HOLD = 2  # every second frame is drawn and shown twice: half the drawing, as much to learn
SECONDS_PER_EVENT = (2.5, 3.5)  # of videos with few events


TELL = 2  # tellings of each video, a step without options


def base_config(vocab: int, start_of_frame: int) -> PolicyConfig:
    """About a million parameters: 64×64 pictures, one token a frame, 5 Mamba-2 layers of width 128."""
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": PATCH,
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
        pool="average",
    )


@dataclass(frozen=True)
class WorldClip:
    """A drawn video: its scene, and the frozen tower's features (t, p, c) of its frames."""

    scene: Scene
    features: Tensor


class BaseTrainer:
    """Trains the supervised base on an endless stream of videos."""

    def __init__(self, seed: int, siglip: "SiglipModel", config: PolicyConfig | None = None):
        torch.manual_seed(seed)
        self.rng = np.random.default_rng([seed, 2])
        tokenizer = build_tokenizer()
        self._token_ids = tokenizer.get_vocab()
        marker = self._token_ids["<|startofframe|>"]
        self.policy = FramePolicy(config or base_config(len(tokenizer), marker), tokenizer)
        nn.init.normal_(self.policy.backbone.embedding.weight, std=0.08)
        self._take_tower(siglip)
        self._warm_start()

    def describe(self, steps: int, *, lr: float, batch: int = 64) -> float:
        """Phase one: stills and their captions, so that frames and words meet before a question is asked.

        Captions are continued word by word, as LLaVA's projector learns; and a frame's token is drawn to the words that
        are true of it (a sigmoid loss against the mean embedding of a caption's words, as the tower's against its text
        encoder). Without the second, asking the memory for a word finds nothing for thousands of steps.

        Returns:
            Share of the captions' words that are foreseen, over the last tenth of the steps.
        """
        parameters = [*self._learning(), scale := nn.Parameter(torch.tensor([5.0, -3.0]))]
        descent = Descent(parameters, lr, warmup_cosine(steps))
        policy, right = self.policy, []
        progress = bar(range(steps), desc="describe stills", unit="step")
        for step in progress:
            moments = sample_moments(self.rng, batch // STILLS, STILLS)
            stills = policy.encode(camera(self.rng, moments))
            captions = [caption(self.rng, moment) for moment in moments]
            loss, hits = self._continue(stills, [full_caption(moment) for moment in moments])
            words = torch.stack([policy.embed(policy.tokenize(" ".join(phrases))).mean(0) for phrases in captions])
            frames = policy.frame_tokens(stills).mean(1)
            logits = scale[0] * F.normalize(frames, dim=-1) @ F.normalize(words, dim=-1).T * 4 + scale[1]
            true = torch.from_numpy(matches(captions, [sayable(moment) for moment in moments]))
            loss = loss - 0.1 * F.logsigmoid(torch.where(true, logits, -logits)).sum(1).mean()
            descent.step(loss)
            if step >= int(0.9 * steps):
                right.append(hits)
            if step % 20 == 0:
                progress.set_postfix(loss=f"{loss.item():.2f}")
        self._scale_connector()
        return float(np.mean(right))

    def _continue(self, stills: Tensor, captions: list[Caption]) -> tuple[Tensor, float]:
        """Next-word loss of captions behind one frame each, and the share of words foreseen."""
        policy = self.policy
        texts = [policy.tokenize(f"\n{', '.join(phrases)}<|endoftext|>").tolist() for phrases in captions]
        hidden, _, _ = policy.read([ids[:-1] for ids in texts], policy.prefix(stills.split(1)).state)
        targets = torch.cat([torch.tensor(ids[1:]) for ids in texts])
        states = torch.cat([row[: len(ids) - 1] for row, ids in zip(hidden, texts, strict=True)])
        logits = policy.answer_logits(states)
        return F.cross_entropy(logits, targets), (logits.argmax(-1) == targets).float().mean().item()

    def teach(self, steps: int, *, lr: float, start: int = 100, pool: int = 240) -> RunningAccuracy:
        """Phase two: answers about whole videos, for connector and language part.

        Every step draws new videos into a pool of `start` to `pool` and asks new questions about some of them.

        Returns:
            Accuracy by form and group of question, in words after the options, over the last tasks.
        """
        parameters = self._learning()
        descent = Descent(parameters, lr, warmup_decay(steps))
        accuracy = RunningAccuracy()
        progress = bar(range(steps), desc="teach base policy", unit="step")
        stages = iter(CURRICULUM)
        stage, begun = next(stages), 0
        clips = self._draw(start, stage)
        for step in progress:
            if step - begun >= LEAST and accuracy.share(f"name {stage.group}") >= stage.enough:
                stage, begun, accuracy = next(stages), step, RunningAccuracy()
                clips = self._draw(start, stage)
            else:
                clips = [*clips, *self._draw(stage.fresh, stage)][-pool:]
            chosen = [clips[i] for i in self.rng.permutation(len(clips))[: stage.clips]]
            form = "choose" if self.rng.random() < stage.choose else "name"
            each = QUESTIONS[form] // len(chosen)
            tasks = [[sample_task(self.rng, clip.scene, form, stage.shares) for _ in range(each)] for clip in chosen]
            if form == "name":
                for row, clip in zip(tasks, chosen, strict=True):
                    row += [tell_task(self.rng, clip.scene.events) for _ in range(TELL)]
            logits, targets, weights, ends = self.due_logits(chosen, tasks)
            loss = weighted_loss(logits, targets, weights)
            descent.step(loss)
            right = (logits.argmax(-1) == targets).tolist()
            flat = [task for row in tasks for task in row]
            accuracy.add_all([f"{task.form} {task.kind}" for task in flat], ends, right)
            if step % 10 == 0:
                progress.set_postfix({"loss": f"{loss.item():.2f}", **accuracy.shown()})
        return accuracy

    def _learning(self) -> list[nn.Parameter]:
        """Everything but the tower; the selection heads are not asked."""
        return [*self.policy.backbone.parameters(), *self.policy.connector.parameters()]

    def due_logits(self, clips: list[WorldClip], tasks: list[list[Task]]) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """Logits (m, vocab) where tokens are due, those tokens, their weights (m,), where each task's part ends."""
        policy = self.policy
        row = torch.tensor([v for v, asked in enumerate(tasks) for _ in asked])
        flat = [task for asked in tasks for task in asked]
        prompts = [after_frames(policy.config.prompt, Prompt(task.text, task.options)) for task in flat]
        asked = [supervise(policy.tokenizer, text, task) for text, task in zip(prompts, flat, strict=True)]
        for task, (_, wanted) in zip(flat, asked, strict=True):
            # the word, not the letter: what was asked for must stay in mind to the end, where frames are picked
            if not task.told:
                wanted[-1] = (wanted[-1][0], self._token_ids[task.word], WORD_WEIGHT)
        state = policy.prefix([clip.features for clip in clips]).state.expand(row)
        hidden, _, _ = policy.read([ids for ids, _ in asked], state)
        due, tokens, weights, ends = all_due(asked)
        return policy.answer_logits(hidden[due[:, 0], due[:, 1]]), tokens, weights, ends

    @torch.no_grad()
    def _take_tower(self, siglip: "SiglipModel") -> None:
        """The layers of the SigLIP that the policy has; the connector is scaled to what they give."""
        vision, tower = siglip.vision_model, self.policy.vision
        tower.embeddings.load_state_dict(vision.embeddings.state_dict())
        for own, learned in zip(tower.encoder.layers, vision.encoder.layers, strict=False):
            own.load_state_dict(learned.state_dict())
        self._scale_connector()

    @torch.no_grad()
    def _scale_connector(self) -> None:
        """Frame tokens far longer or shorter than words would drown in what the layers add, or drown it."""
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

    def _draw(self, count: int, stage: Stage) -> list[WorldClip]:
        scenes = [self._scene(stage) for _ in range(count)]
        times = [np.arange(0, scene.duration_s, HOLD / FPS) for scene in scenes]
        moments = [(scene, float(t)) for scene, row in zip(scenes, times, strict=True) for t in row]
        features = self.policy.encode(camera(self.rng, moments)).split([len(row) for row in times])
        return [WorldClip(scene, part.repeat_interleave(HOLD, 0)) for scene, part in zip(scenes, features, strict=True)]

    def _scene(self, stage: Stage) -> Scene:
        """A video as the world's, or a short one with few events."""
        if not stage.events:
            return sample_scene(self.rng, duration(self.rng))
        events = int(self.rng.choice(stage.events))
        return sample_scene(self.rng, events * float(self.rng.uniform(*SECONDS_PER_EVENT)), events)
