"""docs/architecture.svg is what the code says today, and the page's list of rooms is that of the code."""

import importlib.util

import pytest

from tests.docs.test_links import ROOT

spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs" / "architecture.py")
architecture = importlib.util.module_from_spec(spec)
spec.loader.exec_module(architecture)


def test_the_picture_is_fresh():
    assert (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8") == architecture.draw(), "run `make docs`"


def test_the_page_lists_every_room_once():
    folders = sorted(path.parent.name for path in architecture.PACKAGE.glob("*/__init__.py"))
    assert sorted(architecture.rooms_in_order()) == folders


def test_every_arrow_points_up_and_none_follows_from_others():
    rooms = architecture.rooms_in_order()
    drawn = architecture.arrows(rooms)
    assert all(rooms.index(imported) < rooms.index(importer) for importer, imported in drawn)
    assert {("select", "policy"), ("policy", "lmm")} <= set(drawn) and ("select", "lmm") not in drawn


@pytest.mark.parametrize("room", architecture.rooms_in_order())
def test_every_room_says_in_one_line_what_it_is_for(room):
    assert 20 <= len(architecture.purpose(room)) <= 90
