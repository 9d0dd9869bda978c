"""torchvision as package indexes have it, a build for CUDA, beside a build of torch for CPUs."""

import importlib.util

from torch import library

LIBRARIES: list[library.Library] = []


def make_importable() -> None:
    """Declares what torchvision's library would have declared, where it does not load; before transformers is imported.

    The two operators are named while torchvision is imported and never called by what resizes frames.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        operators = library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        LIBRARIES.append(operators)  # an operator lasts as long as its library
