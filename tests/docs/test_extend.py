"""docs/extend.md is a working example: its edits are applied to a copy of the package, and its commands are run."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pyarrow.parquet as pq
import pytest

from tests.docs.test_links import PACKAGE, ROOT
from tests.support.tiny_lmm import build_lmm
from tests.support.videos import constant, write_video

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
RUN = "import shlex, sys\nfrom refocus.cli.main import main\n"
RUN += "for line in sys.stdin.read().splitlines():\n    assert main(shlex.split(line)[1:]) == 0, line\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def patched(text: str, lines: list[str]) -> str:
    """The text with one hunk of a diff applied; what the hunk removes or keeps has to be there exactly once."""
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"the page's edit does not fit the code:\n{before}"
    return text.replace(before, after)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A copy of the package with the page's files and edits, and the page's data: one row is good, one is broken."""
    home = tmp_path_factory.mktemp("extend")
    shutil.copytree(PACKAGE, home / "pipeline" / "refocus", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in re.findall(
        r"`((?:pipeline/)?[\w/]+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    ):
        (home / path).write_text(code, encoding="utf-8")
    for diff in blocks("diff"):
        head, *lines = diff.splitlines(keepends=True)
        file = home / head.removeprefix("--- ").strip()
        file.write_text(patched(file.read_text(encoding="utf-8"), lines), encoding="utf-8")
    rows = json.loads(blocks("json")[0])
    (home / "questions.json").write_text(json.dumps([*rows, {**rows[0], "id": "q2", "answer": "a hat"}]))
    metadata = home / "mydata-1.0.dist-info"  # what installing the page's package leaves
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mydata\nVersion: 1.0\n")
    groups = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items())
        for group, names in groups.items()
    ]
    (metadata / "entry_points.txt").write_text("".join(lines))
    write_video(home / "videos" / "kitchen.mp4", constant(3.0))
    build_lmm(home / "model")
    return home


@pytest.fixture(scope="module")
def done(home):
    """Every `refocus` command of the page, in its order, in one process."""
    commands = "".join(block for block in blocks("sh") if not block.startswith("pip install"))
    run = python(home, RUN, commands)
    assert run.returncode == 0, run.stderr
    return home


def python(home, code, text=""):
    env = {**os.environ, "PYTHONPATH": f"{home / 'pipeline'}:{home}"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, input=text, cwd=home, env=env, capture_output=True, text=True, timeout=300)


def test_the_page_shows_what_one_sees(done, monkeypatch):
    """Its Python that is no file, one block after the other."""
    shown = re.findall(r"(?<!`:\n\n)^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    monkeypatch.chdir(done)
    names = {}
    for code, text in shown:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == text


def test_the_data_set_has_a_question_and_a_reject(done):
    assert pq.read_table(done / "qa/mine.parquet")["answer_text"].to_pylist() == ["a cup"]
    assert pq.read_table(done / "qa/mine.rejects.parquet")["reason"].to_pylist() == ["answer_not_an_option"]


def test_the_adapter_is_as_short_as_it_looks():
    """Complete in fifteen lines, those that are empty aside."""
    (code,) = re.findall(r"`mydata\.py`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 15


def test_an_installed_package_brings_the_adapter_by_name(home):
    command = "refocus ingest mydata --annotations questions.json --videos videos --name named --out named\n"
    run = python(home, RUN, command)
    assert run.returncode == 0, run.stderr
    assert pq.read_table(home / "named/named.parquet")["answer_text"].to_pylist() == ["a cup"]


def test_the_selector_picks_the_frames_in_the_middle(done):
    picks = {n: pq.read_table(done / f"picks/n{n}.s0.parquet")["frame_indices"].to_pylist() for n in (2, 4)}
    assert picks == {2: [[5, 6]], 4: [[4, 5, 6, 7]]}  # of 12 frames: 3 seconds at 4 fps


def test_the_lmm_scores_the_sixteen_subsets(done):
    assert pq.read_table(done / "reward.parquet")["subset"].to_pylist() == list(range(16))


def test_the_configuration_of_the_page_is_accepted(home):
    (home / "mine.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    code = "from refocus.config.overlay import load\nprint(load(['config.yaml', 'mine.yaml']).use.datasets)"
    shutil.copy(ROOT / "config.yaml", home)
    run = python(home, code)
    assert run.stdout == "('mine',)\n", run.stderr
