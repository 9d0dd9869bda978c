"""What is declared in pyproject.toml is what is imported, and the core is enough to pick frames."""

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from refocus.core.extras import EXTRAS

from tests.support.bare_site import link_packages

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What benchmarks and kernel tests compare with, lmms-eval with what it brings, and what `make fuzz-guided` installs.
PEERS = {
    "atheris",
    "opencv-python",
    "cv2",
    "torchcodec",
    "triton",
    "lmms-eval",
    "datasets",
    "qwen-vl-utils",
    "torchvision",
}
# What no import statement names: asked for as text, run as a program, or used by a package that is imported.
USED_OTHERWISE = {
    "snakemake": "runs the Snakefile",
    "tensorboard": "imported by torch.utils.tensorboard",
    "flash-attn": "imported by transformers",
    "wandb": "imported as text in train/wandb_mirror.py",
    "deepspeed": "imported as text in train/deepspeed_zero.py",
    "hatchling": "builds the package",
    "pytest-xdist": "pytest -n",
    "ruff": "make lint",
    "snakefmt": "make lint",
    "mypy": "make lint",
    "pre-commit": "runs the linters",
    "types-pyyaml": "read by mypy",
    "types-tqdm": "read by mypy",
}


def imported(*folders: str) -> set[str]:
    """Names of distributions that files below `folders` import, with those that tests skip without."""
    modules = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                modules.add(ast.literal_eval(node.args[0]))
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    known = importlib.metadata.packages_distributions()
    return {canonicalize_name(known.get(top, [top])[0]) for top in tops} - {"refocus", "tests", "benchmarks"} - PEERS


def declared(*extras: str) -> set[str]:
    """Names in the core's dependencies, or in those of extras, refocus's own extras followed."""
    texts = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    wanted = [Requirement(text) for text in (texts if extras else PROJECT["dependencies"])]
    inner = {extra for requirement in wanted if requirement.name == "refocus" for extra in requirement.extras}
    names = {canonicalize_name(requirement.name) for requirement in wanted if requirement.name != "refocus"}
    return names | (declared(*inner) if inner else set())


def test_what_the_package_imports_is_declared():
    assert imported("pipeline") <= declared() | declared(*set(PROJECT["optional-dependencies"]) - {"dev"})


def test_what_tests_and_benchmarks_import_is_declared():
    assert imported("tests", "benchmarks") <= declared() | declared(*PROJECT["optional-dependencies"])


def test_nothing_is_declared_that_nothing_uses():
    everything = declared() | declared(*PROJECT["optional-dependencies"])
    assert everything == imported("pipeline", "tests", "benchmarks") | (everything & set(USED_OTHERWISE))


def test_what_the_package_alone_needs_is_not_hidden_in_dev():
    assert not declared("dev") - declared("workflow", "decord") & imported("pipeline") - declared()


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_package_is_looked_for_in_the_right_extra(module):
    assert canonicalize_name(module) in declared(EXTRAS[module])


@pytest.fixture(scope="module")
def core_only(tmp_path_factory):
    """`refocus` in a process that can import the core's dependencies, what they need, and nothing else."""
    home = tmp_path_factory.mktemp("core")
    site = link_packages(PROJECT["dependencies"], home / "site")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'pipeline'}{os.pathsep}{site}", "OMP_NUM_THREADS": "1"}

    def refocus(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-S", "-m", "refocus", *words]
        return subprocess.run(line, capture_output=True, text=True, cwd=home, env=environment)

    return refocus


@pytest.mark.slow
@pytest.mark.parametrize("selector", [[], ["--selector", "mdp3-options", "--model", str(ROOT / "assets" / "siglip")]])
def test_the_core_is_enough_to_pick_frames(core_only, tmp_path, selector):
    """By a policy, and by what is asked for unless a policy is named."""
    video = tmp_path / "grey.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(8):
            image = np.full((48, 64, 3), 30 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    sheet = ["--contact-sheet", str(tmp_path / "sheet.png")]
    done = core_only(
        "select", str(video), "Which colour?", "--option", "red", "--frames", "2", "--json", *sheet, *selector
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["timestamps_s"]) == 2


def test_the_core_lists_all_commands(core_only):
    assert core_only("--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (["run", "-n"], "snakemake"),
        (["filter", "r.parquet", "--qa", "q.parquet", "--out", "."], "pandas"),
        (["tables", "--answers", ".", "--qa", "q.parquet", "--out", "."], "pyarrow"),
    ],
)
def test_a_command_that_needs_an_extra_says_which(core_only, words, package):
    done = core_only(*words)
    assert done.returncode == 2
    assert f"package {package} is not installed" in done.stderr
    assert "pip install '.[workflow]'" in done.stderr
