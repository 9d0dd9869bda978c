"""A scheduler sends SIGTERM to every process of a job: shell and `tee` outlive the stage, which saves and says so."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.support.dry_runs import write
from tests.support.reliability import ALL

pytestmark = pytest.mark.slow

STAGE = """\
#!{python} -IS
import os, signal, sys, time
came = []
signal.signal(signal.SIGTERM, lambda *_: came.append(True))
print("in a long step", flush=True)
while not came:
    time.sleep(0.05)
time.sleep(1)
print("saved", flush=True)
sys.exit(1)
"""


@pytest.mark.fault("told to end", "workflow", "shell and `tee` outlive the stage, which saves and says so")
def test_a_stage_that_is_told_to_end_is_heard_to_its_last_word(repository, tmp_path):
    write(tmp_path / "bin" / "python", STAGE.format(python=sys.executable))
    (tmp_path / "bin" / "python").chmod(0o755)
    words = ["--snakefile", repository / "Snakefile", "--directory", tmp_path, "--cores", "1", "--sdm", "env-modules"]
    words += ["--", "results/world/nextqa/train.csv"]
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    process = subprocess.Popen([sys.executable, "-m", "snakemake", *map(str, words)], env={**os.environ, "PATH": path})
    log = tmp_path / "results" / "logs" / "world.log"
    try:
        until = time.monotonic() + 300
        while not (log.exists() and "in a long step" in log.read_text()):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        for child in psutil.Process(process.pid).children(recursive=True):
            child.send_signal(signal.SIGTERM)
        assert process.wait(120) == 1
    finally:
        process.kill()
    assert log.read_text().splitlines() == ["in a long step", "saved"]


MAIN = """
import runpy, signal, sys
sys.argv = ["refocus", "--version"]
try:
    runpy.run_module("refocus", run_name="__main__")
except SystemExit:
    print(signal.getsignal(signal.SIGTERM).name)
"""


@pytest.mark.fault("told to end", ALL, "what saves nothing ends at once")
def test_a_stage_that_saves_nothing_still_ends_at_once():
    """The shell hands on that it ignores SIGTERM; `python -m refocus` takes that back."""
    words = ["bash", "-c", "trap '' TERM; exec \"$@\"", "bash", sys.executable, "-c", MAIN]
    assert subprocess.run(words, capture_output=True, text=True).stdout.splitlines()[-1] == "SIG_DFL"
