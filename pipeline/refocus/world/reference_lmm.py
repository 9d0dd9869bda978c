"""The reference LMM of the world: a tiny InternVL trained by next-token prediction on an endless stream of frames.

b clips · n frames · p tokens per frame · l tokens · d width
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from refocus.core.files import write_json
from refocus.core.progress import bar
from refocus.lmm.prompts import Prompt, internvl_prefix, internvl_suffix
from refocus.world.alignment import align, shape_words, warmup_cosine
from refocus.world.scene import Scene, sample_scene
from refocus.world.stream import SIDE, camera, duration
from refocus.world.tasks import Mix, RunningAccuracy, Task, curriculum, sample_task, supervise, weighted_loss
from refocus.world.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import InternVLForConditionalGeneration

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PATCH, TOKENS = 16, 4
FRAME_COUNTS = (1, 2, 4, 6, 8)
BLIND = 0.2  # share of tasks that may ask for a moment no frame shows


def build_reference(vocab: int, context_id: int) -> "InternVLForConditionalGeneration":
    """An untrained InternVL of about a million parameters: 64×64 pictures, 4 tokens each, 4 layers of width 128."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config

    vision = InternVLVisionConfig(
        hidden_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=288,
        image_size=[SIDE, SIDE],
        patch_size=[PATCH, PATCH],
        layer_scale_init_value=1.0,
        initializer_range=0.08,
    )
    text = Qwen2Config(
        vocab_size=vocab,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=256,
        max_position_embeddings=4096,
        initializer_range=0.08,  # 0.02 does not learn at this width
        tie_word_embeddings=True,
    )
    config = InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=context_id,
        image_seq_length=TOKENS,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
    )
    return InternVLForConditionalGeneration(config)


@dataclass(frozen=True)
class FrameBank:
    """Frames of many scenes with the tower's features, so that the language model can learn without redrawing.

    features: (f, p, c) before the projector. frames: per scene the (time, index into features) of its frames.
    """

    scenes: list[Scene]
    frames: list[list[tuple[float, int]]]
    features: Tensor


class ReferenceTrainer:
    """Trains the reference LMM; each method is one phase."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.rng = np.random.default_rng([seed, 1])
        self.tokenizer = build_tokenizer()
        self.context = self.tokenizer.get_vocab()["<IMG_CONTEXT>"]
        self.model = build_reference(len(self.tokenizer), self.context)
        self._mean = torch.tensor(MEAN).view(3, 1, 1)
        self._std = torch.tensor(STD).view(3, 1, 1)

    def align_tower(self, steps: int, batch: int = 128, lr: float = 4e-3) -> float:
        """Phase one: tower and projector learn to tell what a frame shows."""
        inner = self.model.model
        parameters = [*inner.vision_tower.parameters(), *inner.multi_modal_projector.parameters()]
        return align(
            lambda pictures: inner.multi_modal_projector(self._tower(pictures)),
            parameters,
            (TOKENS, 128),
            shape_words(self.model.get_input_embeddings(), self.tokenizer),
            self.rng,
            steps=steps,
            batch=batch,
            lr=lr,
        )

    def teach(
        self, steps: int, *, lr: float, joint: bool, clips: int = 20, each: int = 6, fresh_every: int = 100
    ) -> float:
        """Phases two and three: the answers, first with the tower frozen along the curriculum, then all together.

        Returns:
            Accuracy of multiple choice with visible evidence over the last tasks.
        """
        inner = self.model.model
        inner.vision_tower.requires_grad_(joint)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(steps))
        accuracy = RunningAccuracy()
        progress = bar(range(steps), desc="teach LMM" + (" with tower" if joint else ""), unit="step")
        bank: FrameBank | None = None
        for step in progress:
            mix, counts = curriculum(1.0 if joint else step / steps)
            count = int(self.rng.choice(FRAME_COUNTS[:counts]))
            if joint or bank is None or step % fresh_every == 0:
                bank = self._draw_bank(clips, keep=count, grad=True) if joint else self._draw_bank(300)
            loss = self._task_loss(bank, clips, each, mix, count, accuracy)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            if step % 10 == 0:
                progress.set_postfix({"loss": f"{loss.item():.2f}", **accuracy.shown()})
        return accuracy.share("choose")

    def save(self, folder: Path) -> None:
        """Writes an ordinary model folder, weights as float16."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.half().save_pretrained(folder)
        self.model.float()
        self.tokenizer.save_pretrained(folder)
        size = {"height": SIDE, "width": SIDE}
        write_json(folder / "preprocessor_config.json", {"image_mean": MEAN, "image_std": STD, "size": size})

    def _tower(self, pictures: np.ndarray) -> Tensor:
        """(f, p, 4c) features after pixel shuffle, before the projector."""
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        inner = self.model.model
        hidden = inner.vision_tower((pixels - self._mean) / self._std).last_hidden_state[:, 1:]  # drop CLS
        side = SIDE // PATCH
        shuffled = inner.pixel_shuffle(hidden.unflatten(1, (side, side)), scale_factor=0.5)
        return shuffled.flatten(1, 2)

    def _draw_bank(self, scenes: int, keep: int | None = None, grad: bool = False) -> FrameBank:
        """New scenes with two frames of every event and three of any time, or `keep` of these."""
        drawn = [sample_scene(self.rng, duration(self.rng)) for _ in range(scenes)]
        moments: list[tuple[Scene, float]] = []
        frames: list[list[tuple[float, int]]] = []
        for scene in drawn:
            times = [float(t) for e in scene.events for t in self.rng.uniform(e.start_s, e.end_s, 2)]
            times = [*times, *(float(t) for t in self.rng.uniform(0, scene.duration_s, 3))]
            times = sorted(float(t) for t in self.rng.permutation(times)[:keep])
            frames.append([(time_s, len(moments) + i) for i, time_s in enumerate(times)])
            moments += [(scene, time_s) for time_s in times]
        with torch.set_grad_enabled(grad):
            features = torch.cat(
                [self._tower(camera(self.rng, moments[i : i + 128])) for i in range(0, len(moments), 128)]
            )
        return FrameBank(drawn, frames, features)

    def _task_loss(
        self, bank: FrameBank, clips: int, each: int, mix: Mix, count: int, accuracy: RunningAccuracy
    ) -> Tensor:
        """Mean loss of a batch of tasks; those with visible evidence are counted by their form."""
        picked, tasks, evident = [], [], []
        for index in self.rng.permutation(len(bank.scenes))[:clips]:
            scene, frames = bank.scenes[index], bank.frames[index]
            chosen = sorted(self.rng.permutation(len(frames))[:count])
            shown = [scene.event_at(frames[i][0]) for i in chosen]
            visible = list({event.shape: event for event in shown if event}.values())
            asked = [
                sample_task(self.rng, scene, scene.events if self.rng.random() < BLIND else visible, mix)
                for _ in range(each)
            ]
            evident += [not q.kind.startswith("moment") or any(f" {e.shape}" in q.text for e in visible) for q in asked]
            picked.append([frames[i][1] for i in chosen])
            tasks.append(asked)
        logits, targets, weights, ends = self._due_logits(bank.features, picked, tasks)
        flat = [task for asked in tasks for task in asked]
        names = [task.form if seen else "blind" for task, seen in zip(flat, evident, strict=True)]
        accuracy.add_all(names, ends, (logits.argmax(-1) == targets).tolist())
        return weighted_loss(logits, targets, weights)

    def _due_logits(
        self, features: Tensor, picked: list[list[int]], tasks: list[list[Task]]
    ) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """All questions of a clip behind one frame prefix; none sees another.

        Returns:
            Logits (m, vocab) where tokens are due, those tokens, their weights (m,), where each task's part ends.
        """
        prefix = self._ids(internvl_prefix(len(picked[0]), TOKENS))
        suffixes = [[supervise(self.tokenizer, suffix_text(task), task) for task in row] for row in tasks]
        longest = max(len(prefix) + sum(len(ids) for ids, _ in row) for row in suffixes)
        ids = torch.zeros(len(picked), longest, dtype=torch.long)
        part = torch.full((len(picked), longest), -1)  # 0 prefix, k the k-th question, -1 padding
        position = torch.zeros(len(picked), longest, dtype=torch.long)
        due, tokens, weights, ends = [], [], [], []
        for b, row in enumerate(suffixes):
            at = len(prefix)
            ids[b, :at], part[b, :at], position[b, :at] = torch.tensor(prefix), 0, torch.arange(at)
            for k, (suffix, wanted) in enumerate(row, start=1):
                end = at + len(suffix)
                ids[b, at:end], part[b, at:end] = torch.tensor(suffix), k
                position[b, at:end] = torch.arange(len(prefix), len(prefix) + len(suffix))
                due += [(b, at + place) for place, _, _ in wanted]
                tokens += [token for _, token, _ in wanted]
                weights += [weight for _, _, weight in wanted]
                ends.append(len(due))
                at = end
        sees = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
        sees &= torch.ones(longest, longest, dtype=torch.bool).tril()
        mask = torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min)
        x = self.model.get_input_embeddings()(ids)
        frames = self.model.model.multi_modal_projector(features[torch.tensor(picked)])  # (b, n, p, d)
        x = x.masked_scatter((ids == self.context)[..., None], frames.to(x))
        decoder = self.model.model.language_model
        hidden = decoder(inputs_embeds=x, attention_mask=mask[:, None], position_ids=position, use_cache=False)
        rows, columns = torch.tensor(due).T
        logits = self.model.lm_head(hidden.last_hidden_state[rows, columns])
        return logits, torch.tensor(tokens), torch.tensor(weights), ends

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids


def suffix_text(task: Task) -> str:
    """The golden suffix; a task without options leaves the option lines out."""
    suffix = internvl_suffix(Prompt(task.text, task.options))
    return suffix if task.options else suffix.replace("Options:", "", 1).replace("\n<|im_end|>", "<|im_end|>", 1)
