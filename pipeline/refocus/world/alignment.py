"""Aligning a vision tower with a language model's words, so that a frame reads as the words that describe it.

A frame's four tokens say, in the model's own embeddings, color, place and border, each with the shape it belongs to,
and what lies behind; see `PHRASES`. Otherwise asking for the frame of a star stays noise for thousands of steps.

f frames · d width of the language model · w words
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.core.progress import bar
from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, SHAPES, Moment
from refocus.world.schedule import Descent, warmup_cosine
from refocus.world.stream import camera, sample_moments

NOTHING = "nothing"
CLASSES = tuple(
    (NOTHING, *names)
    for names in (SHAPES, tuple(COLORS), tuple(PLACES), tuple(COLORS), tuple(BACKGROUNDS), tuple(CORNERS))
)


def labels(moments: Sequence[Moment]) -> Tensor:
    """(n, 6) class indices: shape, color, place, border, background, corner of every moment."""
    rows = []
    for scene, time_s in moments:
        event = scene.event_at(time_s)
        seen = (event.shape, event.color, event.place, event.edge) if event else (NOTHING,) * 4
        rows.append(
            [names.index(word) for names, word in zip(CLASSES, (*seen, scene.background, scene.corner), strict=True)]
        )
    return torch.tensor(rows)


# what each of a frame's four tokens says: its own word, and classes by their place in CLASSES
PHRASES = (("color", 0, 1), ("where", 0, 2), ("border", 0, 3), ("background", 4, 5))


def describe(tokenizer: Any, moments: Sequence[Moment]) -> Tensor:
    """(f, 4, w) ids of the words of every frame's phrases, -1 where one is shorter."""
    frames = []
    for row in labels(moments).tolist():
        said = [" ".join((own, *(CLASSES[i][row[i]] for i in classes))) for own, *classes in PHRASES]
        frames.append([tokenizer(phrase, add_special_tokens=False).input_ids for phrase in said])
    longest = max(len(ids) for frame in frames for ids in frame)
    return torch.tensor([[ids + [-1] * (longest - len(ids)) for ids in frame] for frame in frames])


def described(embedding: nn.Module, ids: Tensor) -> Tensor:
    """(f, 4, d) sums of the words' embeddings."""
    return (embedding(ids.clamp(min=0)) * (ids >= 0)[..., None]).sum(-2)


def align(
    encode: Callable[[np.ndarray], Tensor],
    parameters: Sequence[nn.Parameter],
    embedding: nn.Module,
    tokenizer: Any,
    rng: np.random.Generator,
    *,
    steps: int,
    batch: int,
    lr: float,
) -> float:
    """Trains `parameters` so that the words nearest to a frame's tokens are those of its phrases.

    Args:
        encode: (n, 64, 64, 3) uint8 pictures to (n, 4, d) tokens, with gradient.
        embedding: of the language model's words, kept as they are.
    Returns:
        Mean accuracy of telling the shape over the last tenth of the steps, the hardest of the classes.
    """
    words = [_directions(embedding, tokenizer, names) for names in CLASSES]
    own = _directions(embedding, tokenizer, [phrase[0] for phrase in PHRASES])
    tokens = [[j for j, (_, *classes) in enumerate(PHRASES) if i in classes] for i in range(len(CLASSES))]
    descent = Descent(parameters, lr, warmup_cosine(steps), betas=(0.9, 0.999))
    right = []
    progress = bar(range(steps), desc="align tower", unit="step")
    for step in progress:
        moments = sample_moments(rng, batch // 4, 4)
        label = labels(moments)
        seen = encode(camera(rng, moments))  # (n, 4, d)
        logits = [seen[:, of].mean(1) @ directions.T for of, directions in zip(tokens, words, strict=True)]
        loss = torch.stack([F.cross_entropy(part, label[:, i]) for i, part in enumerate(logits)]).sum()
        places = torch.arange(len(PHRASES)).expand(len(seen), -1)
        loss = loss + F.cross_entropy((seen @ own.T).flatten(0, 1), places.flatten())
        descent.step(loss)
        if step >= int(0.9 * steps):
            right.append((logits[0].argmax(-1) == label[:, 0]).float().mean().item())
        if step % 20 == 0:
            progress.set_postfix(loss=f"{loss.item():.2f}")
    return float(np.mean(right))


@torch.no_grad()
def _directions(embedding: nn.Module, tokenizer: Any, names: Sequence[str]) -> Tensor:
    """(names, d) unit vectors of names of one or two words."""
    sums = [
        embedding(tokenizer(name, add_special_tokens=False, return_tensors="pt").input_ids[0]).sum(0) for name in names
    ]
    return F.normalize(torch.stack(sums), dim=-1)
