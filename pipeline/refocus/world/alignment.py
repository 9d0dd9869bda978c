"""Aligning a vision tower: before any language is learned, what a frame shows is classified from the tower's tokens.

The shape is classified against the embeddings of the shapes' words, so a frame of a star already looks like the word
"star" to the language model; otherwise asking for it stays noise for thousands of steps.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.core.progress import bar
from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, SHAPES, Scene
from refocus.world.stream import camera, sample_moments

NOTHING = "nothing"
CLASSES = tuple(
    (NOTHING, *names)
    for names in (SHAPES, tuple(COLORS), tuple(PLACES), tuple(COLORS), tuple(BACKGROUNDS), tuple(CORNERS))
)


def labels(moments: Sequence[tuple[Scene, float]]) -> Tensor:
    """(n, 6) class indices: shape, color, place, border, background, corner of every moment."""
    rows = []
    for scene, time_s in moments:
        event = scene.event_at(time_s)
        seen = (event.shape, event.color, event.place, event.edge) if event else (NOTHING,) * 4
        rows.append(
            [names.index(word) for names, word in zip(CLASSES, (*seen, scene.background, scene.corner), strict=True)]
        )
    return torch.tensor(rows)


def align(
    encode: Callable[[np.ndarray], Tensor],
    parameters: Iterable[nn.Parameter],
    tokens: tuple[int, int],
    words: Tensor,
    rng: np.random.Generator,
    *,
    steps: int,
    batch: int,
    lr: float,
) -> float:
    """Trains `parameters` so that linear classifiers on a frame's tokens tell what it shows.

    Args:
        encode: (n, 64, 64, 3) uint8 pictures to (n, p, d) tokens, with gradient.
        tokens: (p, d).
        words: (shapes, d) embeddings of the shapes' words, kept as they are.
    Returns:
        Mean accuracy of telling the shape over the last tenth of the steps, the hardest of the six.
    """
    words = F.normalize(words.detach(), dim=-1)
    others = nn.Linear(math.prod(tokens), sum(map(len, CLASSES[1:])))
    nothing = nn.Linear(tokens[1], 1)
    parameters = [*parameters, *others.parameters(), *nothing.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(steps))
    right = []
    progress = bar(range(steps), desc="align tower", unit="step")
    for step in progress:
        moments = sample_moments(rng, batch // 4, 4)
        target = labels(moments)
        seen = encode(camera(rng, moments))  # (n, p, d)
        mean = seen.mean(1)
        shape = torch.cat([nothing(mean), mean @ words.T], -1)
        logits = (shape, *others(seen.flatten(1)).split([len(names) for names in CLASSES[1:]], -1))
        loss = torch.stack([F.cross_entropy(part, target[:, i]) for i, part in enumerate(logits)]).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step >= 0.9 * steps:
            right.append((logits[0].argmax(-1) == target[:, 0]).float().mean().item())
        if step % 20 == 0:
            progress.set_postfix(loss=f"{loss.item():.2f}")
    return float(np.mean(right))


def warmup_cosine(steps: int, warmup: float = 0.05, floor: float = 0.02) -> Callable[[int], float]:
    """Learning-rate factor: linear over the first share of the steps, then a cosine down to `floor`."""

    def factor(step: int) -> float:
        if step < warmup * steps:
            return (step + 1) / (warmup * steps + 1)
        done = (step - warmup * steps) / (steps * (1 - warmup))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


def shape_words(embedding: nn.Module, tokenizer: Any) -> Tensor:
    """(shapes, d) embeddings of the shapes' words, in the order of the classes."""
    return embedding(torch.tensor(tokenizer.convert_tokens_to_ids(list(SHAPES))))
