"""A tiny random InternVL, one per session."""

import pytest


@pytest.fixture(scope="session")
def lmm_folder(tmp_path_factory):
    from tests.tiny_lmm import build_lmm

    return build_lmm(tmp_path_factory.mktemp("lmm"))


@pytest.fixture()
def lmm(lmm_folder):
    import torch

    from pipeline.lmm import load_lmm

    torch.set_num_threads(1)
    return load_lmm(lmm_folder)
