"""The world's own SigLIP: a vision tower and a text encoder that learn from captioned stills (sigmoid loss).

The policy's tower is its vision half up to the penultimate layer, as in the paper; the whole model is what similarity
baselines ask. It sees pictures and sentences: no class of a frame, no question, no video.

n pictures and their captions · l tokens of a caption · c width
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.core.progress import bar
from refocus.policy.vision import PIXEL_MEAN, PIXEL_STD
from refocus.world.captions import caption, full_caption, matches, sayable, wording
from refocus.world.scene import Moment
from refocus.world.schedule import Descent, warmup_cosine
from refocus.world.stream import SIDE, camera, sample_moments
from refocus.world.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import SiglipModel

PATCH, WIDTH, LAYERS, TEXT_LAYERS = 16, 96, 4, 1
CONTRAST_WEIGHT = 0.05  # of the sum over a still's pairs, beside the mean over a caption's words
CAPTION_TOKENS = 32
STILLS = 8  # of every video in a batch: they share a background, so the captions tell them apart by the rest


def build_siglip(vocab: int) -> "SiglipModel":
    """An untrained SigLIP of under a million parameters: 64×64 pictures, captions of at most 32 words."""
    from transformers import SiglipConfig, SiglipModel, SiglipTextConfig, SiglipVisionConfig

    shared: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": 3 * WIDTH, "num_attention_heads": 4}
    text = SiglipTextConfig(
        vocab_size=vocab,
        num_hidden_layers=TEXT_LAYERS,
        max_position_embeddings=CAPTION_TOKENS,
        projection_size=WIDTH,
        bos_token_id=None,
        eos_token_id=None,
        **shared,
    )
    vision = SiglipVisionConfig(num_hidden_layers=LAYERS, image_size=SIDE, patch_size=PATCH, **shared)
    return SiglipModel(SiglipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))


class CaptionDecoder(nn.Module):
    """Writes captions from the mean patch of the tower's penultimate layer, which is what the policy gets of a frame.

    It is thrown away afterwards.
    """

    def __init__(self, vocab: int):
        super().__init__()
        self.words = nn.Embedding(vocab, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(CAPTION_TOKENS, WIDTH))
        self.layer = nn.TransformerDecoderLayer(WIDTH, 4, 2 * WIDTH, 0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.words.weight, std=0.08)

    def forward(self, ids: Tensor, patches: Tensor) -> Tensor:
        """Word ids (n, l), patches (n, p, c) -> (n, l, vocab) logits of the next word."""
        x = self.words(ids) + self.places[: ids.shape[1]]
        causal = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        frame = patches.mean(1, keepdim=True)
        return self.norm(self.layer(x, frame, tgt_mask=causal, tgt_is_causal=True)) @ self.words.weight.t()


class ContrastTrainer:
    """Trains the world's SigLIP on an endless stream of captioned stills."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.rng = np.random.default_rng([seed, 3])
        self.tokenizer = build_tokenizer()
        self.model = build_siglip(len(self.tokenizer))
        self.decoder = CaptionDecoder(len(self.tokenizer))
        self._initialise()

    def teach(self, steps: int, *, lr: float, batch: int = 128) -> float:
        """The sigmoid loss over all pairs of a batch of stills and captions.

        A caption of one still is often as true of others ("a star"); those are pairs too.

        Returns:
            How often the caption of a still is the likeliest of its batch, over the last tenth of the steps.
        """
        parameters = [*self.model.parameters(), *self.decoder.parameters()]
        descent = Descent(parameters, lr, warmup_cosine(steps))
        right = []
        progress = bar(range(steps), desc="teach tower", unit="step")
        for step in progress:
            moments = sample_moments(self.rng, batch // STILLS, STILLS)
            captions = [caption(self.rng, moment) for moment in moments]
            logits, patches = self.logits(
                camera(self.rng, moments), [wording(self.rng, phrases) for phrases in captions]
            )
            true = torch.from_numpy(matches(captions, [sayable(moment) for moment in moments]))
            loss = -F.logsigmoid(torch.where(true, logits, -logits)).sum(1).mean()
            loss = CONTRAST_WEIGHT * loss + self._caption_loss(patches, moments)
            descent.step(loss)
            if step >= int(0.9 * steps):
                right.append(true[torch.arange(len(logits)), logits.argmax(1)].float().mean().item())
            if step % 20 == 0:
                progress.set_postfix(loss=f"{loss.item():.2f}")
        return float(np.mean(right))

    def logits(self, pictures: np.ndarray, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Pictures (uint8, n × 64 × 64 × 3) against captions, (n, n); and what the policy's tower sees, (n, p, c)."""
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        out = self.model(
            input_ids=self._ids(captions),
            pixel_values=(pixels - PIXEL_MEAN) / PIXEL_STD,
            output_hidden_states=True,
        )
        return out.logits_per_image, out.vision_model_output.hidden_states[LAYERS - 1]

    def _caption_loss(self, patches: Tensor, moments: Sequence[Moment]) -> Tensor:
        ids = self._ids([", ".join(full_caption(moment)) for moment in moments])
        ids = ids[:, : int((ids != self.tokenizer.pad_token_id).sum(1).max()) + 1]
        first = torch.full_like(ids[:, :1], self.tokenizer.eos_token_id)
        logits = self.decoder(torch.cat([first, ids[:, :-1]], 1), patches)
        before = torch.cat([first, ids[:, :-1]], 1) != self.tokenizer.pad_token_id  # the first padding ends a caption
        return F.cross_entropy(logits[before], ids[before])

    def _ids(self, captions: list[str]) -> Tensor:
        return self.tokenizer(
            captions, padding="max_length", max_length=CAPTION_TOKENS, truncation=True, return_tensors="pt"
        ).input_ids

    def save(self, folder: Path) -> None:
        """Writes an ordinary model folder, weights as float16, with the tokenizer and what prepares pictures."""
        save_siglip(self.model, self.tokenizer, folder)

    @torch.no_grad()
    def _initialise(self) -> None:
        """Larger weights than the reference initialization, which does not learn at this width."""
        for name, parameter in self.model.named_parameters():
            if parameter.dim() > 1 and ("encoder" in name or "patch_embedding" in name):
                nn.init.trunc_normal_(parameter, std=0.08)
        self.model.logit_scale.fill_(np.log(10.0))
        self.model.logit_bias.fill_(-5.0)


def save_siglip(model: "SiglipModel", tokenizer: Any, folder: Path) -> None:
    """Writes a SigLIP folder that `transformers` reads: config, float16 weights, tokenizer, picture settings."""
    from transformers import SiglipImageProcessor

    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    model.float()
    tokenizer.save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
