"""A video, a tiny policy and the page's selectors."""

import pytest
from refocus.config.select import SelectSettings
from refocus.serve.selectors import PageSelectors

from tests.support.grey_video import write_greys


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """Three seconds at 10 fps, 12 candidates, every frame a different grey; wider than high."""
    return write_greys(tmp_path_factory.mktemp("video") / "grey.mp4", range(30), width=160, height=48)


@pytest.fixture(scope="session")
def policy(tmp_path_factory):
    torch = pytest.importorskip("torch")
    from tests.support.tiny_policy import build_policy

    folder = tmp_path_factory.mktemp("policy")
    build_policy(0, torch.float32).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def selectors(policy):
    """The policy and `uniform`, loaded."""
    made = PageSelectors(SelectSettings())
    made.choose([policy, "uniform"])
    return made
