"""bfloat16 arithmetic over float32 weights."""

import contextlib

import torch


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """A context in which matrix products are computed in `precision`; weights, gradients and moments stay float32.

    One per forward pass in training: casts made without gradient inside a context would be reused by a later pass with
    gradient.
    """
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, precision))
