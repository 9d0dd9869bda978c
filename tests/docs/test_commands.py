"""Every `refocus …` and `make …` command of README and docs/ is one that exists, with flags that it takes."""

import importlib
import re
import shlex

import pytest
from refocus.cli.main import COMMANDS, main

from tests.docs.test_links import PAGES, ROOT, prose

PLACEHOLDERS = ("STAGE", "FORMAT", "…", "|")
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def shell_lines(page) -> list[str]:
    """Commands of the page's sh blocks, comments cut off, and those in backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.sub(r"\\\n\s*", " ", blocks).splitlines() + re.findall(r"`([^`\n]+)`", prose(page))
    return [part.strip() for line in lines for part in re.split(r"\s#\s|\s#$|&&", line)[:2] if part.strip()]


def commands(first: str) -> list[tuple[str, str]]:
    """Page and command; those of extend.md, whose format exists only there, are run by test_extend.py."""
    found = [(page.name, line) for page in PAGES if page.name != "extend.md" for line in shell_lines(page)]
    return [(page, line) for page, line in found if re.match(rf"(python -m )?{first} [\w-]", line)]


@pytest.mark.parametrize(("page", "line"), commands("refocus"))
def test_refocus_takes_it(page, line, monkeypatch):
    words = shlex.split(line.removeprefix("python -m "))[1:]
    if any(mark in line for mark in PLACEHOLDERS) or words[0] not in COMMANDS:
        assert words[0] in COMMANDS or any(mark in line for mark in PLACEHOLDERS), f"{page}: {line}"
        return
    if len(words) == 1 or "--help" in words:  # names the command
        return
    monkeypatch.setattr(importlib.import_module(COMMANDS[words[0]]), "run", lambda args: 0)
    try:
        status = main(words)
    except SystemExit as wrong:
        status = wrong.code
    assert status == 0, f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), commands("make"))
def test_make_has_the_target(page, line):
    assert {word for word in shlex.split(line)[1:] if "=" not in word} <= TARGETS
