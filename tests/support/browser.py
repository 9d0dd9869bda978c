"""A headless Chromium for tests of pages, where one is there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser. Without one the test is skipped, or fails where one was promised (REFOCUS_BROWSER)."""
    found = os.environ.get("REFOCUS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        _give_up("there is no Chromium (apt-get install chromium, or REFOCUS_CHROMIUM=/path)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("the package playwright is not installed (requirements-serve.txt)")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=180_000)
        yield started
        started.close()


def _give_up(reason: str) -> None:
    (pytest.fail if os.environ.get("REFOCUS_BROWSER") else pytest.skip)(reason)
