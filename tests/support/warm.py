"""Loads what training needs, down to what transformers loads with its first model; forked processes begin with it."""

import torch._dynamo  # noqa: F401  (AdamW's first step loads it)

import tests.support.killing  # noqa: F401
from tests.support.tiny_policy import build_policy

build_policy()
