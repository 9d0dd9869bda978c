"""The report's pages in a headless Chromium, opened from the disk: sorting sorts, keys move, filters filter."""

import json
import shutil

import pytest
from refocus.config.root import Root
from refocus.core import results_folder
from refocus.report.pages import index_page
from refocus.report.pages.site import write_report

from tests.support.browser import chromium
from tests.support.reported_results import DOT, HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser):
    """A page that must stay without errors, and without a request that leaves the disk."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(60_000)
    wrong: list[str] = []
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda request: wrong.append(request.url))
    opened.on("request", lambda one: wrong.append(one.url) if not one.url.startswith(("file:", "data:")) else None)
    yield opened
    opened.close()
    assert wrong == []


def column(page, number: int) -> list[str]:
    cells = page.locator("#table-table1 + .wide tbody tr")
    return [cells.nth(row).locator("td").nth(number).inner_text().split()[0] for row in range(cells.count())]


def test_a_click_sorts_by_numbers_and_gaps_stay_last(report, page):
    page.goto((report / "index.html").as_uri())
    head = page.locator("#table-table1 + .wide thead button").nth(1)
    assert column(page, 1) == ["40.0", "35.0", "90.0", "not"]
    head.click()
    assert column(page, 1) == ["90.0", "40.0", "35.0", "not"]
    head.click()
    assert column(page, 1) == ["35.0", "40.0", "90.0", "not"]
    page.locator("#table-table1 + .wide thead button").nth(0).press("Enter")
    assert column(page, 0) == ["oracle", "random", "ReFoCUS", "uniform"]


def test_every_picture_of_the_page_is_there(report, page):
    page.goto((report / "index.html").as_uri())
    pictures = page.locator("img")
    assert pictures.count() == 2
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
        page.wait_for_function("n => document.images[n].complete && document.images[n].naturalWidth > 0", arg=number)


def test_a_tables_own_page_sorts(reported, page):
    page.goto(results_folder.TABLE.at(reported[1], table="table1", suffix="html").as_uri())
    page.locator("thead button").nth(1).click()
    assert page.locator("tbody tr").first.locator("td").first.inner_text() == "ReFoCUS"


def test_keys_move_and_filters_filter(report, page):
    page.goto((report / "gallery.html").as_uri())
    place, rows = page.locator("#place"), page.locator("#list button")
    assert (place.inner_text(), rows.count()) == ("1 of 12", 12)
    page.keyboard.press("ArrowRight")
    assert place.inner_text() == "2 of 12" and rows.nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert place.inner_text() == "1 of 12"
    page.keyboard.press("End")
    assert page.locator("table.picks tr").count() == 17  # 16 subsets and the time axis
    page.locator("#outcome").select_option("win")
    assert (place.inner_text(), rows.count()) == ("1 of 1", 1)
    page.keyboard.press("Escape")
    page.locator("#kind").select_option("seen/always")
    assert rows.count() == 6
    page.keyboard.press("Escape")
    page.locator("#right").select_option(label="uniform")
    page.locator("#wrong").select_option(label="random")
    assert rows.count() == 5
    page.locator("#search").fill("no such words")
    assert rows.count() == 0 and "No question fits" in page.locator("#view").inner_text()


def test_a_question_that_looks_like_a_script_is_read_not_run(report, page):
    page.goto((report / "gallery.html").as_uri())
    assert page.locator("#view h1").text_content() == HOSTILE
    assert page.evaluate("window.broken") is None and page.locator("#view img").count() == 0


def test_every_selectors_picks_stand_side_by_side_with_pictures(report, page):
    page.goto((report / "gallery.html").as_uri())
    rows = page.locator("table.picks tr:has(.shot)")
    assert rows.count() == 3
    pictures = rows.locator(".shot div")
    assert pictures.count() == 6
    shown = pictures.evaluate_all("all => all.map(one => one.style.backgroundImage)")
    assert all("frames/" in one for one in shown)
    page.keyboard.press("?")
    assert page.locator("#legend").is_visible()


def test_two_rows_of_pictures_are_seen_whole(report, page):
    """A third one scrolls; on a screen of 1280 points four pictures stand in one row."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((report / "gallery.html").as_uri())
    many = "one => { while (one.children.length < 8) one.append(one.children[0].cloneNode(true)); }"
    shots = page.locator("table.picks .shots").first
    shots.evaluate(many)
    heights = shots.evaluate("one => [one.clientHeight, one.scrollHeight]")
    tops = shots.locator(".shot").evaluate_all("all => all.map(one => one.offsetTop)")
    assert heights[0] == heights[1] and [tops.count(top) for top in sorted(set(tops))] == [4, 4]


def test_an_address_with_a_question_opens_it(report, page):
    page.goto((report / "gallery.html").as_uri())
    page.keyboard.press("End")
    page.goto(page.url)
    page.reload()
    assert page.locator("#place").inner_text() == "12 of 12"


@pytest.mark.parametrize("name", ["index.html", "gallery.html"])
def test_on_a_narrow_screen_nothing_lies_beside_it(report, page, name):
    page.set_viewport_size({"width": 500, "height": 900})
    page.goto((report / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 500
    rights = page.locator(".shot").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert all(right <= 500 for right in rights) and bool(rights) == (name == "gallery.html")


@pytest.mark.parametrize("lost", ["tars", "tars and indexes"])
def test_questions_without_stored_frames_are_shown_without_pictures(reported, page, tmp_path, monkeypatch, lost):
    root, results = reported
    shutil.copytree(results, tmp_path / "results")
    indexes = [results_folder.INDEX.at(tmp_path / "results", dataset=d, shard="000000") for d in ("bench", "taught")]
    for index in indexes:
        index.with_name("000000.tar").unlink()
        if "indexes" in lost:
            index.unlink()
    monkeypatch.setattr(index_page, "ask_snakemake", lambda root, results: DOT)
    write_report(root, Root(), tmp_path / "results", tmp_path / "out", 100, [])
    page.goto((tmp_path / "out" / "gallery.html").as_uri() + "#%E0%A4%A")
    for number in range(12):
        assert page.locator("#place").inner_text() == f"{number + 1} of 12"
        assert "No pictures" in page.locator("#view").inner_text()
        if number < 6:
            seconds = page.locator("table.picks .shot").all_inner_texts()
            assert len(seconds) == 6 and all(text.endswith(" s") and "?" not in text for text in seconds)
        page.keyboard.press("ArrowRight")


def test_only_filters_with_a_choice_are_shown(report, page):
    """One run and one LMM: nothing to choose from."""
    page.goto((report / "gallery.html").as_uri())
    visible = {name: page.locator(f"#{name}").is_visible() for name in ("outcome", "right", "run", "lmm")}
    assert visible == {"outcome": True, "right": True, "run": False, "lmm": False}


def test_a_gallery_of_nothing_says_so_and_shows_no_filter_but_the_search(reported, page, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(index_page, "ask_snakemake", lambda root, results: DOT)
    write_report(reported[0], Root(), tmp_path / "results", tmp_path / "out", 10, [])
    page.goto((tmp_path / "out" / "gallery.html").as_uri())
    assert page.locator("#view").inner_text() == "There are no questions in the results."
    for key in ("ArrowRight", "End", "k", "o", "r", "Escape"):
        page.keyboard.press(key)
    assert page.locator("#filters select:visible").count() == 0 and page.locator("#search").is_visible()


def test_a_question_of_many_pages_leaves_room_for_the_others(report, page, tmp_path):
    shutil.copytree(report, tmp_path / "report")
    data = tmp_path / "report" / "gallery-data.js"
    values = json.loads(data.read_text().removeprefix("window.GALLERY = ").removesuffix(";\n"))
    values["questions"][0]["question"] = "word" * 2000
    data.write_text(f"window.GALLERY = {json.dumps(values)};\n")
    page.goto((tmp_path / "report" / "gallery.html").as_uri())
    heights = [page.locator(one).first.bounding_box()["height"] for one in ("#list button", "#view h1")]
    assert heights[0] < 150 and heights[1] < 300
    assert page.locator("#view").evaluate("one => one.scrollWidth - one.clientWidth") == 0
