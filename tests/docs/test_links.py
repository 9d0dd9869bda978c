"""Whatever README and docs/ point at exists: relative links, anchors, and files named in backticks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += [path for path in (ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md") if path.is_file()]
ROOTS = ("", "pipeline/", "pipeline/refocus/", "workflow/rules/", "docs/")  # what a path in backticks is relative to
OURS = ("assets", "benchmarks", "config", "docs", "pipeline", "profiles", "tests", "workflow")
PACKAGE = ROOT / "pipeline" / "refocus"


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors GitHub gives to a page's headings."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_in_backticks_exist(page):
    """Such as `video/track.py`, `config/paper.yaml` or `pipeline/refocus/lmm/`; a bare `track.py` lies in some room."""
    missing = []
    for name in re.findall(r"`([\w.*/-]+)`(?!:\n)", prose(page)):  # with a colon the page goes on to say what it holds
        is_code = name.endswith((".py", ".smk"))
        if is_code or (name.split("/")[0] in OURS and "/" in name):
            places = [ROOT / base for base in ROOTS] + ([] if "/" in name else [*PACKAGE.glob("*/")])
            if not any(list(place.glob(name.rstrip("/"))) for place in places):
                missing.append(name)
    assert not missing
