"""A small benchmark with videos, and a selection table of it."""

import pytest

from tests.support.asked_videos import build_asked_videos
from tests.support.exporting import N


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build_asked_videos(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def even(tmp_path_factory):
    """Only videos whose frames come at an even rate."""
    return build_asked_videos(tmp_path_factory.mktemp("even"), ("even.mp4", "long.mp4"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny random policy."""
    import torch

    from tests.support.tiny_policy import build_policy

    folder = tmp_path_factory.mktemp("policy")
    build_policy(0, torch.float32).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def selector(model):
    from refocus import FrameSelector

    return FrameSelector.from_pretrained(model)


@pytest.fixture(scope="module")
def table(bench):
    return bench.select("random", N, bench.home / "random")
