"""The whole page in a headless Chromium, with nothing but this machine to load from: drop, ask, look, click, close."""

import os
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from refocus.serve.server import LOCAL, app_with_uploads, listen

from tests.support.browser import chromium
from tests.support.grey_video import write_greys

gradio = pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_S = 300
QUESTION = "What <b>colour</b> is it? ${1 + 1} {{value}}"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def address(selectors, monkeypatch):
    """Where the page is served, by a server that may reach nothing beyond this machine."""
    import uvicorn

    connect, strange = socket.socket.connect, []

    def watched(self, where):
        if isinstance(where, tuple) and where[0] not in (LOCAL, "localhost", "::1"):
            strange.append(where)
            raise OSError(f"no network in this test: {where}")
        return connect(self, where)

    monkeypatch.setattr(socket.socket, "connect", watched)
    with closing(listen(LOCAL, 0)) as listening, app_with_uploads(selectors, LOCAL) as app:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        yield f"http://{LOCAL}:{listening.getsockname()[1]}"
        server.should_exit = True
        running.join()
    assert strange == []


@pytest.fixture
def page(browser, address):
    """The page, which must stay without errors and load nothing from elsewhere."""
    opened, wrong = browser.new_page(viewport={"width": 1440, "height": 1000}), []
    opened.set_default_timeout(1000 * PATIENCE_S)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    local = (address, "data:", "blob:")
    opened.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(local) else None)
    opened.goto(address)
    opened.locator("#rf-pick").wait_for()
    yield opened
    if not opened.is_closed():
        opened.close()
    assert wrong == []


def uploaded() -> list[Path]:
    """The videos that the server has copies of."""
    return [path for path in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*.mp4")]


def ask(page, video: Path, question: str) -> None:
    page.locator("#rf-video input[type=file]").set_input_files(str(video))
    page.locator("#rf-video video").wait_for()
    page.locator("#rf-question textarea").fill(question)
    page.locator("#rf-pick").click()


def test_a_dropped_video_is_asked_about_and_played_at_a_pick(page, video):
    ask(page, video, QUESTION)
    columns = page.locator(".rf-column:not(.rf-waiting)")
    columns.nth(1).locator("button").first.wait_for()
    assert page.locator(".rf-results h2").inner_text() == QUESTION
    assert columns.count() == 2 and page.locator(".rf-lane").count() == 2
    assert page.locator(".rf-lane svg path").count() == 1  # `uniform` likes all frames alike
    buttons = columns.nth(1).locator("button")
    assert buttons.count() == 8
    seconds = float(buttons.nth(5).get_attribute("data-seek"))
    buttons.nth(5).click()
    page.wait_for_function("s => document.querySelector('#rf-video video').currentTime >= s", arg=seconds)
    playhead = page.locator(".rf-playhead").first
    playhead.wait_for()
    assert float(playhead.evaluate("line => parseFloat(line.style.left)")) >= 100 * seconds / 3.1
    # anywhere on a curve
    page.locator("#rf-video video").evaluate("video => video.pause()")
    box = page.locator(".rf-curve").first.bounding_box()
    page.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + 5)
    page.wait_for_function("() => document.querySelector('#rf-video video').currentTime < 1.5")


def test_errors_are_on_the_page_and_a_video_goes_with_it(page, video, tmp_path):
    page.locator("#rf-pick").click()
    assert "no video yet" in page.locator(".rf-problem").inner_text()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    ask(page, broken, "What?")
    page.locator(".rf-column .rf-problem").nth(1).wait_for()
    assert "broken.mp4" in page.locator(".rf-column .rf-problem").first.inner_text()
    page.locator("#rf-cannot-play").wait_for()
    [copy] = uploaded()
    page.close()
    until = time.monotonic() + PATIENCE_S
    while copy.exists() and time.monotonic() < until:
        time.sleep(0.2)
    assert uploaded() == []


def test_another_video_replaces_the_one_before(page, video, tmp_path):
    ask(page, video, "What?")
    page.locator(".rf-column button").first.wait_for()
    page.locator("#rf-video button[aria-label='Clear']").click()
    page.locator("#rf-video input[type=file]").wait_for(state="attached")
    ask(page, write_greys(tmp_path / "other.mp4", range(20)), "What?")
    page.locator(".rf-column button").first.wait_for()
    assert [path.name for path in uploaded()] == ["other.mp4"]
