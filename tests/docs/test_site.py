"""The site of docs/: every page is reached, in one order everywhere, and the strict build is a step of CI."""

import re

import pytest
import yaml

from tests.docs.test_links import ROOT

SITE = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), yaml.BaseLoader)  # the tags of MkDocs stay text
PAGES = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def leaves(part) -> list[str]:
    """Pages of a part of the navigation, in its order."""
    if isinstance(part, str):
        return [part]
    return [page for inner in (part.values() if isinstance(part, dict) else part) for page in leaves(inner)]


def test_the_navigation_lists_every_page_once():
    listed = [page for page in leaves(SITE["nav"]) if not page.startswith("project/")]
    assert sorted(listed) == sorted(PAGES)


def test_pages_of_the_project_are_its_files():
    shown = [page.removeprefix("project/") for page in leaves(SITE["nav"]) if page.startswith("project/")]
    assert shown and all((ROOT / page).is_file() for page in shown)


def test_the_first_pages_table_has_the_order_of_the_navigation():
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    table = [link for row in re.findall(r"^\|.*\|$", page, re.M) for link in re.findall(r"\]\(([\w/]+\.md)\)", row)]
    assert table == [name for name in leaves(SITE["nav"]) if name in PAGES and name != "README.md"]


def test_nothing_is_asked_of_other_hosts():
    """The theme's own doors to them; docs/site_hooks.py looks at every page that is built."""
    assert SITE["theme"]["font"] == "false" and SITE["hooks"] == ["docs/site_hooks.py"]
    assert not any(":" in path for path in [*SITE["extra_css"], *SITE.get("extra_javascript", [])])


def test_the_strict_build_is_a_step_of_ci():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndocs:")[1].split("\n\n")[0]
    assert "mkdocs build --strict" in recipe
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", sorted(name for name in PAGES if name.startswith("api/")))
def test_api_pages_name_what_is_there(page):
    """A class that moved fails here, in seconds, and not only in the build of the site."""
    for name in re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE):
        module, _, thing = name.rpartition(".")
        places = [ROOT / "pipeline" / (path.replace(".", "/") + ".py") for path in (name, module)]
        code = next(place for place in places if place.is_file()).read_text(encoding="utf-8")
        assert places[0].is_file() or re.search(rf"^(class|def) {thing}\b", code, re.MULTILINE), name
