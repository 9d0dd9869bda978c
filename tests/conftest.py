"""What all tests share: where the optional real data lie, and single-threaded torch."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
# Stages that tests start as processes find the package of this checkout.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "pipeline"), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test fetches a model

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

# Whole runs of the workflow and the like, the longest first.
LONGEST = (
    "workflow/test_paper_path.py",
    "recipes/test_recipes.py",
    "workflow/test_broken_data.py",
    "workflow/test_rerun_matrix.py",
    "packaging/test_wheel.py",
    "workflow/test_overlays.py",
    "train/test_golden_curves.py",
    "train/test_resume.py",
    "train/test_ranks.py",
    "cli/test_train.py",
    "world/test_teaching.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that at the end no process waits for another's."""
    rank = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real annotation files and videos; tests that want them are skipped where they are absent.

    The folder named by REFOCUS_TEST_DATA, else `../shared/data` beside the checkout, with `annotations/` and `videos/`.
    """
    folder = Path(os.environ.get("REFOCUS_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set REFOCUS_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def lmm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random InternVL, one per session."""
    from tests.support.tiny_lmm import build_lmm

    return build_lmm(tmp_path_factory.mktemp("lmm"))


@pytest.fixture
def lmm(lmm_folder: Path):
    """The same, loaded."""
    import torch
    from refocus.lmm import load_lmm

    torch.set_num_threads(1)
    return load_lmm(lmm_folder)
