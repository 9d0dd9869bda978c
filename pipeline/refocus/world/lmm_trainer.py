"""Training the world's video-LMMs by next-token prediction on an endless stream of frames.

b clips · n frames · p tokens per frame · l tokens · d width
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.core.files import write_json
from refocus.core.progress import bar
from refocus.lmm.families import Family
from refocus.lmm.prompts import Prompt
from refocus.world.alignment import CLASSES, NOTHING, align, describe, described
from refocus.world.lessons import FORMS, LEAST, LESSONS, Lesson
from refocus.world.scene import Event, Moment, Scene, sample_scene
from refocus.world.schedule import Descent, warmup_decay
from refocus.world.stream import SIDE, camera, duration, sample_moments
from refocus.world.tasks import (
    RunningAccuracy,
    Task,
    all_due,
    find_task,
    sample_task,
    supervise,
    tell_task,
    unseen,
    weighted_loss,
)
from refocus.world.tiny_lmms import TOKENS, TinyLmm
from refocus.world.tokenizer import build_tokenizer

PAST = CLASSES[:3]  # shape, color and place of the event that was shown before
MEMORY_WEIGHT = 0.3
PAIRED = 0.6  # share of clips whose frames show two events in a row for certain
BOTH = 0.6  # share of the clips with all frames of an event that have those of both
LONE = 0.7  # share of questions about unseen shapes that show the neighbor, where some can

CLIPS = 24  # a step
FRESH_EVERY = 100  # steps after which new videos are drawn


@dataclass(frozen=True)
class FrameBank:
    """Frames of many scenes with the tower's features, so that the language model can learn without redrawing.

    features: (f, p, c) before the projector, or the ids (f, 4, w) of words that describe them.
    frames: per scene the (time, index into features) of its frames.
    """

    scenes: list[Scene]
    frames: list[list[tuple[float, int]]]
    features: Tensor


class LmmTrainer:
    """Trains a tiny LMM; each method is one phase."""

    def __init__(self, seed: int, build: Callable[[Any], TinyLmm]):
        """build: makes the LMM for a tokenizer."""
        torch.manual_seed(seed)
        self.rng = np.random.default_rng([seed, 1])
        self.tokenizer = build_tokenizer()
        self.lmm = build(self.tokenizer)
        self.model, self.family = self.lmm.model, self.lmm.family
        self.context = self.family.context_id(self.model.config)
        self.memory = nn.Linear(self.model.config.text_config.hidden_size, sum(map(len, PAST)))
        mean, std = self.family.statistics
        self._mean, self._std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)

    def read(self, steps: int, *, lr: float) -> RunningAccuracy:
        """Phase one: the answers from words that describe frames, as a language model comes with reading behind it.

        Returns:
            Accuracy by form and kind of question, with the evidence in view, over the last tasks.
        """
        return self._train("read", steps, lr, self.family.language_model(self.model).parameters(), LESSONS)

    def align_tower(self, steps: int, *, lr: float, batch: int = 128) -> float:
        """Phase two: tower and projector learn to say in those words what a frame shows."""
        right = align(
            lambda pictures: self.lmm.project(self._tower(pictures)),
            [parameter for module in self.lmm.before_language for parameter in module.parameters()],
            self.model.get_input_embeddings(),
            self.tokenizer,
            self.rng,
            steps=steps,
            batch=batch,
            lr=lr,
        )
        self._scale_projector()
        return right

    def teach(self, steps: int, *, lr: float, lessons: Sequence[Lesson], joint: bool = False) -> RunningAccuracy:
        """Further phases: the answers from frames, with the tower frozen or all together (`joint`).

        Returns:
            As `read`.
        """
        tower = self.lmm.before_language[0]
        learning = [p for p in self.model.parameters() if joint or all(p is not q for q in tower.parameters())]
        return self._train("joint" if joint else "teach", steps, lr, learning, lessons)

    def _train(
        self, phase: str, steps: int, lr: float, learning: Iterable[nn.Parameter], lessons: Sequence[Lesson]
    ) -> RunningAccuracy:
        self.model.requires_grad_(False)
        parameters = [*(p.requires_grad_() for p in learning), *self.memory.parameters()]
        descent = Descent(parameters, lr, warmup_decay(steps))
        accuracy = RunningAccuracy()
        progress = bar(range(steps), desc=f"{phase} LMM", unit="step")
        coming = iter(lessons)
        lesson, begun = next(coming), 0
        bank: FrameBank | None = None
        for step in progress:
            if step - begun >= LEAST and accuracy.share(lesson.over) >= lesson.enough:
                lesson, begun, accuracy = next(coming), step, RunningAccuracy()
            count = int(self.rng.choice(lesson.frames))
            if phase == "joint":
                bank = self._draw_bank(CLIPS, phase, lesson, keep=count)
            elif bank is None or step % FRESH_EVERY == 0:
                bank = self._draw_bank(300, phase, lesson)
            loss = self._task_loss(bank, lesson, count, accuracy)
            descent.step(loss)
            if step % 10 == 0:
                progress.set_postfix({"loss": f"{loss.item():.2f}", **accuracy.shown()})
        self.model.requires_grad_(True)
        return accuracy

    def load(self, folder: Path) -> None:
        """Takes the weights of a folder that `save` wrote."""
        saved = type(self.model).from_pretrained(folder, dtype=torch.float32)
        self.model.load_state_dict(saved.state_dict())

    def save(self, folder: Path) -> None:
        """Writes an ordinary model folder, weights as float16."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.half().save_pretrained(folder)
        self.model.float()
        self.tokenizer.save_pretrained(folder)
        mean, std = self.family.statistics
        size = {"height": SIDE, "width": SIDE}
        write_json(folder / "preprocessor_config.json", {"image_mean": mean, "image_std": std, "size": size})

    def _tower(self, pictures: np.ndarray) -> Tensor:
        """(f, s, s, 3) uint8 -> (f, p, c) features before the projector."""
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        return self.lmm.tower((pixels - self._mean) / self._std)

    def _draw_bank(self, scenes: int, phase: str, lesson: Lesson, keep: int | None = None) -> FrameBank:
        """New scenes with one or three frames of every event and some of any time, or `keep` of these (see `_choose`).

        Picked frames often show nothing; clips without such frames would never show one of two moments alone.
        """
        drawn = [sample_scene(self.rng, duration(self.rng)) for _ in range(scenes)]
        moments: list[Moment] = []
        frames: list[list[tuple[float, int]]] = []
        for scene in drawn:
            spans = [(event.start_s, event.end_s) for event in scene.events] * (3 if lesson.again else 1)
            spans += [(0, scene.duration_s)] * len(scene.events)
            times = sorted(float(self.rng.uniform(*span)) for span in spans)
            times = times if keep is None else [times[i] for i in self._choose(scene, times, keep, lesson.again)]
            frames.append([(time_s, len(moments) + i) for i, time_s in enumerate(times)])
            moments += [(scene, time_s) for time_s in times]
        if phase == "read":
            return FrameBank(drawn, frames, describe(self.tokenizer, moments))
        with torch.set_grad_enabled(phase == "joint"):
            features = torch.cat(
                [self._tower(camera(self.rng, moments[i : i + 128])) for i in range(0, len(moments), 128)]
            )
        return FrameBank(drawn, frames, features)

    def _task_loss(self, bank: FrameBank, lesson: Lesson, count: int, accuracy: RunningAccuracy) -> Tensor:
        """Mean loss of a batch of tasks; those with visible evidence are counted by their form."""
        picked, tasks, evident, past = [], [], [], []
        form = str(self.rng.choice(list(FORMS), p=lesson.forms))
        for index in self.rng.permutation(len(bank.scenes))[:CLIPS]:
            scene, frames = bank.scenes[index], bank.frames[index]
            times = [time_s for time_s, _ in frames]
            chosen = (
                self._row(scene, times, count) if lesson.in_a_row else self._choose(scene, times, count, lesson.again)
            )
            shown = [scene.event_at(frames[i][0]) for i in chosen]
            visible = list({event.shape: event for event in shown if event}.values())
            asked = []
            for _ in range(FORMS[form]):
                if form == "find":
                    task = find_task(self.rng)
                elif form == "tell" and visible:
                    task = tell_task(self.rng, visible)
                elif self.rng.random() < lesson.blind:
                    task = self._blind_task(scene, form, lesson, visible)
                else:
                    task = sample_task(self.rng, scene, form, lesson.shares, visible)
                evident.append(set(task.needs) <= set(visible))
                asked.append(task if evident[-1] else unseen(self.rng, task))
            picked.append([frames[i][1] for i in chosen])
            past.append(shown_before(shown))
            tasks.append(asked)
        logits, targets, weights, ends, memory = self._due_logits(bank.features, picked, tasks)
        flat = [task for asked in tasks for task in asked]
        names = [f"{task.form} {task.kind}" if seen else "blind" for task, seen in zip(flat, evident, strict=True)]
        right = (logits.argmax(-1) == targets).tolist()
        accuracy.add_all(names, ends, right)
        parts = self.memory(memory).flatten(0, 1).split([len(names) for names in PAST], -1)
        wanted = torch.tensor(past).flatten(0, 1)  # (b n, 3)
        remembered = sum(F.cross_entropy(part, wanted[:, i]) for i, part in enumerate(parts))
        return weighted_loss(logits, targets, weights) + MEMORY_WEIGHT * remembered

    def _blind_task(self, scene: Scene, form: str, lesson: Lesson, visible: list[Event]) -> Task:
        """A task that the frames plainly cannot answer, if some of a few tries are; else it asks about what is shown.

        Most often one of whose two moments one is shown: there a guess would often be right, or a sure answer wrong.
        """
        tries = [sample_task(self.rng, scene, form, lesson.shares) for _ in range(8)]
        blind = [task for task in tries if plainly_unseen(task, visible, lesson.neighbors)]
        lone = [task for task in blind if set(task.needs) & set(visible)]
        if not blind:
            return sample_task(self.rng, scene, form, lesson.shares, visible)
        return (lone if lone and self.rng.random() < LONE else blind)[0]

    def _choose(self, scene: Scene, times: list[float], count: int, again: float) -> list[int]:
        """Frames of a clip, in time: any, or first those of one or two events in a row, one of each or all."""
        order = [int(i) for i in self.rng.permutation(len(times))]
        if self.rng.random() < PAIRED:
            shown = [scene.event_at(time_s) for time_s in times]
            place = int(self.rng.integers(len(scene.events) - 1))
            pair = [[i for i in order if shown[i] is event] for event in scene.events[place : place + 2]]
            first = [i for frames in pair for i in frames[:1]]
            if again and self.rng.random() < again:
                both = self.rng.random() < BOTH
                first = [*(first if both else []), *pair[0], *(pair[1] if both else [])]
            order = list(dict.fromkeys([*first, *order]))
        return sorted(order[:count])

    def _row(self, scene: Scene, times: list[float], count: int) -> list[int]:
        """One frame of each of `count` events in a row."""
        place = int(self.rng.integers(len(scene.events) - count + 1))
        shown = [scene.event_at(time_s) for time_s in times]
        return [shown.index(event) for event in scene.events[place : place + count]]

    def _due_logits(
        self, features: Tensor, picked: list[list[int]], tasks: list[list[Task]]
    ) -> tuple[Tensor, Tensor, Tensor, list[int], Tensor]:
        """All questions of a clip behind one frame prefix; none sees another.

        Returns:
            Logits (m, vocab) where tokens are due, those tokens, their weights (m,), where each task's part ends; and
            the hidden states (b, n, d) at each frame's last token, halfway through the layers.
        """
        from transformers import DynamicCache

        row = torch.tensor([b for b, asked in enumerate(tasks) for _ in asked])
        flat = [task for asked in tasks for task in asked]
        asked = [supervise(self.tokenizer, suffix_text(self.family, task), task) for task in flat]
        prefix = torch.tensor(self._ids(self.family.prefix(len(picked[0]), TOKENS))).expand(len(picked), -1)
        embed, decoder = self.model.get_input_embeddings(), self.family.language_model(self.model)
        frames = self._tokens(features[torch.tensor(picked)].flatten(0, 1))  # (b n, q, d)
        shown = prefix == self.context
        x = embed(prefix)
        x = x.masked_scatter(shown[..., None], frames.to(x))
        cache = DynamicCache()
        seen = decoder(inputs_embeds=x, past_key_values=cache, use_cache=True, output_hidden_states=True)
        halfway = seen.hidden_states[self.model.config.text_config.num_hidden_layers // 2]
        memory = halfway[shown].unflatten(0, (len(picked), len(picked[0]), TOKENS))[:, :, -1]
        cache.batch_select_indices(row)
        ids = nn.utils.rnn.pad_sequence([torch.tensor(text) for text, _ in asked], batch_first=True)
        x = self.family.suffix_embeddings(self.model, ids, embed(ids))
        hidden = decoder(inputs_embeds=x, past_key_values=cache, use_cache=True).last_hidden_state
        due, tokens, weights, ends = all_due(asked)
        return self.model.lm_head(hidden[due[:, 0], due[:, 1]]), tokens, weights, ends, memory

    def _tokens(self, features: Tensor) -> Tensor:
        """(f, q, d) tokens of frames from the tower's features, or from the words that describe them."""
        if features.is_floating_point():
            return self.lmm.project(features)
        return described(self.model.get_input_embeddings(), features)

    @torch.no_grad()
    def _scale_projector(self) -> None:
        """Frame tokens become as long as those of descriptions; longer ones would drown what the layers add."""
        moments = sample_moments(self.rng, 32, 4)
        wanted = described(self.model.get_input_embeddings(), describe(self.tokenizer, moments)).norm(dim=-1).mean()
        length = self.lmm.project(self._tower(camera(self.rng, moments))).norm(dim=-1).mean()
        for parameter in self.lmm.before_language[1].linear_2.parameters():
            parameter.mul_(wanted / length)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids


def shown_before(shown: Sequence[Event | None]) -> list[list[int]]:
    """Per frame the classes of the last other event that an earlier frame shows (`PAST`); "nothing" where none does."""
    rows, past, now = [], None, None
    for event in shown:
        if event is not None and event is not now:
            past, now = now, event
        last = past if event is not None else now
        seen = (last.shape, last.color, last.place) if last else (NOTHING,) * 3
        rows.append([names.index(word) for names, word in zip(PAST, seen, strict=True)])
    return rows


def plainly_unseen(task: Task, visible: Sequence[Event], neighbors: bool) -> bool:
    """Whether frames that show `visible` lack a shape that the task names; with `neighbors`, also whether they show
    none where the neighbor of a named shape would be.

    Whether the shape that is shown next to a named one is its neighbor, no frame tells.
    """
    lacking = [event for event in task.needs if event not in visible]
    if any(event.shape in task.text.rstrip("?").split() for event in lacking):
        return True
    if not lacking or not neighbors:
        return False
    first, second = task.needs
    if lacking == [second]:
        return not any(event.start_s > first.start_s for event in visible)
    return not any(event.start_s < second.start_s for event in visible)


def suffix_text(family: Family, task: Task) -> str:
    """The golden suffix; of a task without options up to the end of its question, where the answer is due."""
    suffix = family.suffix(Prompt(task.text, task.options))
    return suffix if task.options else suffix[: suffix.index(task.text) + len(task.text)]
