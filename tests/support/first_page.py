"""What the first pages tell a newcomer to run, run: README's "Frames of your own video" and docs/README.md.

`python -m tests.support.first_page PYTHON FOLDER`, with the interpreter of an environment that has the wheel.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.grey_video import write_greys

ROOT = Path(__file__).resolve().parents[2]
VIDEOS = ("video.mp4", "lecture.mp4")  # what the pages call the reader's own


def blocks() -> list[tuple[str, str]]:
    """Language and text of every block, in the order in which they are read."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Frames of your own video\n")[1]
    pages = readme.split("\n## ")[0], (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    return [block for page in pages for block in re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]


def run(python: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """Runs them where nothing is but a video; `pip install`, which they begin with, has been done.

    Returns:
        What each command printed, and last the number of pictures and seconds that each piece of Python left.
    Raises:
        AssertionError: one failed, with what it said.
    """
    for name in VIDEOS:
        write_greys(folder / name, range(30))
    lines = [line for language, text in blocks() if language == "sh" for line in text.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if not line.startswith("pip install ")]
    assert {words[0] for words in commands} == {"refocus"}, lines
    calls = [["-m", *words] for words in commands]
    code = [text + "print(len(pictures), len(seconds))\n" for language, text in blocks() if language == "python"]
    said = []
    for call in [*calls, ["-c", "".join(code)]]:
        done = subprocess.run([*python, *call], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(call)}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    return said


if __name__ == "__main__":
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}  # with the tiny policy that the wheel carries
    offline.pop("PYTHONPATH", None)
    sys.stdout.write("".join(run([sys.argv[1]], Path(sys.argv[2]), offline)))
