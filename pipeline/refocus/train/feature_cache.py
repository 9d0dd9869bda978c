"""Features of the frozen vision towers, computed once per clip and kept while they fit."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor


class FeatureCache:
    """Clip id -> features; the least recently used go when there is no room."""

    def __init__(self, compute: Callable[[str], Tensor], gigabytes: float):
        self.compute = compute
        self.room = int(gigabytes * 2**30)
        self.kept: OrderedDict[str, Tensor] = OrderedDict()
        self.held = 0

    def __call__(self, clip_id: str) -> Tensor:
        """The clip's features, without gradient."""
        if clip_id in self.kept:
            self.kept.move_to_end(clip_id)
            return self.kept[clip_id]
        with torch.no_grad():
            features = self.compute(clip_id)
        size = features.element_size() * features.nelement()
        if size <= self.room:
            self.kept[clip_id] = features
            self.held += size
        while self.held > self.room:
            _, gone = self.kept.popitem(last=False)
            self.held -= gone.element_size() * gone.nelement()
        return features
