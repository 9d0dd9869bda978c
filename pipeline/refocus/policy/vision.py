"""From pixels to the backbone's frame tokens: frozen SigLIP tower, two-layer connector, bilinear pooling.

f frames · p patches (a square grid) · c tower width · q pooled patches · d model width
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.policy.config import PolicyConfig

PIXEL_MEAN = PIXEL_STD = 127.5  # SigLIP's (x / 255 - 0.5) / 0.5


class VisionTower(nn.Module):
    """A SigLIP encoder up to its penultimate layer, frozen and always in evaluation mode.

    The last encoder layer, the final norm and the pooling head do not exist here; a public checkpoint's are skipped.
    """

    def __init__(self, config: PolicyConfig):
        super().__init__()
        from transformers import SiglipVisionConfig, SiglipVisionModel

        values = dict(config.vision)
        values["num_hidden_layers"] -= 1
        model = SiglipVisionModel(SiglipVisionConfig(**{**values, "vision_use_head": False}))
        self.embeddings, self.encoder = model.embeddings, model.encoder
        self.size = config.frame_size
        self.requires_grad_(False)
        self.train(False)

    def place_positions(self) -> None:
        """Numbers the patches of a tower built without memory: no file holds these."""
        count = self.embeddings.position_embedding.num_embeddings
        self.embeddings.register_buffer("position_ids", torch.arange(count)[None], persistent=False)

    def train(self, mode: bool = True) -> "VisionTower":
        return super().train(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(f, 3, size, size) normalised pixels -> (f, p, c) patch features."""
        return self.encoder(inputs_embeds=self.embeddings(pixels)).last_hidden_state

    def encode(self, images: np.ndarray, batch: int = 64) -> Tensor:
        """Features of RGB frames, without gradient.

        Args:
            images: uint8 (f, height, width, 3); squashed to the tower's size where they differ from it.
        Returns:
            (f, p, c) in the tower's dtype, on its device.
        """
        if images.shape[1:3] != (self.size, self.size):
            from refocus.video.resize import resize

            images = resize(images, self.size)
        weight = self.embeddings.patch_embedding.weight
        parts = []
        with torch.no_grad():
            for start in range(0, len(images), batch):
                pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + batch]))
                pixels = pixels.to(weight.device).permute(0, 3, 1, 2).to(weight.dtype)
                parts.append(self((pixels - PIXEL_MEAN) / PIXEL_STD))
        return torch.cat(parts) if parts else weight.new_zeros(0, (self.size // weight.shape[-1]) ** 2, len(weight))


class Connector(nn.Module):
    """Two linear layers with a GELU between, and pooling of each frame's grid (27 -> 14 in the paper).

    `pool_at: connector` pools before the second layer: the weights of bilinear and average pooling sum to one, so that
    gives what pooling after it gives, for a quarter of the work.
    """

    def __init__(self, config: PolicyConfig):
        super().__init__()
        self.fc1 = nn.Linear(int(config.vision["hidden_size"]), config.width)
        self.fc2 = nn.Linear(config.width, config.width)
        self.pool, self.stride, self.pooled = config.pool, config.pool_stride, config.pooled_grid
        self.pool_first = config.pool_at == "tower"

    def forward(self, features: Tensor) -> Tensor:
        """(f, p, c) tower features -> (f, q, d) frame tokens in reading order."""
        x = features.to(self.fc1.weight.dtype)
        if self.pool_first:
            return self.fc2(F.gelu(self.fc1(self._pooled(x))))
        return self.fc2(self._pooled(F.gelu(self.fc1(x))))

    def _pooled(self, x: Tensor) -> Tensor:
        """(f, p, c) -> (f, q, c)."""
        side = math.isqrt(x.shape[1])
        if self.pooled == side:
            return x
        x = x.transpose(1, 2).unflatten(2, (side, side))
        if self.pool == "bilinear":
            x = F.interpolate(x, size=(self.pooled, self.pooled), mode="bilinear", align_corners=False)
        else:
            x = (F.avg_pool2d if self.pool == "average" else F.max_pool2d)(x, self.stride)
        return x.flatten(2).transpose(1, 2)
