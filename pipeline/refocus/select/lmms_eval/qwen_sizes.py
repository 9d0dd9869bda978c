"""Sizes of frames for Qwen-VL, by the rule that lmms-eval's models take from the authors' qwen-vl-utils."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from qwen_vl_utils.vision_process import MODEL_SEQ_LEN, SPATIAL_MERGE_SIZE, VIDEO_MAX_TOKEN_NUM, smart_resize

ROOM = 0.9  # share of the model's tokens that a video may take


def resized(
    pictures: Sequence[np.ndarray], patch: int, least: int, most: int, total: int | None = None
) -> list[np.ndarray]:
    """The pictures at a size that is made of whole tokens, their aspect kept as well as that allows.

    Args:
        patch: side of a patch. least, most: pixels of a picture. total: pixels of all of them; None: what the model's
            length allows.
    """
    token = (patch * SPATIAL_MERGE_SIZE) ** 2
    each = (total or MODEL_SEQ_LEN * token * ROOM) / len(pictures)
    most = min(most, max(min(VIDEO_MAX_TOKEN_NUM * token, int(each)), int(least * 1.05)))
    height, width = smart_resize(*pictures[0].shape[:2], patch * SPATIAL_MERGE_SIZE, least, most)
    shape = (width, height)
    return [np.asarray(Image.fromarray(picture).resize(shape, Image.Resampling.BICUBIC)) for picture in pictures]
