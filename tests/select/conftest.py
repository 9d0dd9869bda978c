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
def table(bench):
    return bench.select("random", N, bench.home / "random")
