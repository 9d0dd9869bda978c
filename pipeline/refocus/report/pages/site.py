"""Writes the report: two pages, their scripts, and copies of every table and figure, in one folder."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refocus.config.root import Root
from refocus.core.errors import UsageError
from refocus.core.files import write_text
from refocus.report.pages.gallery_data import write_gallery_data
from refocus.report.pages.gallery_files import read_gallery_files
from refocus.report.pages.index_page import IndexPage
from refocus.report.pages.render import as_script, asset, render
from refocus.report.study import Study

INDEX, GALLERY, DATA = "index.html", "gallery.html", "gallery-data.js"
STATIC = ("report.css", "gallery.css", "table.js", "gallery.js")


@dataclass(frozen=True)
class Written:
    """What was written: bytes of all files, questions in the gallery and how they were chosen, and what was missing."""

    size: int
    questions: int
    rule: str
    missing: tuple[str, ...]


def write_report(
    root: Root, default: Root, results: Path, out: Path, questions: int, commands: Sequence[str]
) -> Written:
    """Writes the report of a results folder; parts that are missing are named on the pages.

    Args:
        default: the configuration that changes are told against.
        out: a new folder, an empty one, or an earlier report, which is replaced as a whole when the new one is done.
        questions: in the gallery, at most.
        commands: what makes the results and the report, for the page.
    Raises:
        UsageError: there are no results, or `out` holds something else.
        RefocusError: a file of the results is unreadable.
    """
    if not results.is_dir():
        raise UsageError(f"{results} is no folder of results")
    study = Study(root, results)
    files = read_gallery_files(study, questions)
    with replacing(out) as folder:
        page = IndexPage(study, default, commands, folder)
        gallery = write_gallery_data(study, files, folder)
        lacking = (*page.missing, *files.missing, *gallery.unreadable)
        for name in STATIC:
            write_text(folder / name, asset(name))
        write_text(folder / DATA, as_script("GALLERY", gallery.values))
        write_text(
            folder / GALLERY,
            render(
                "gallery.html.jinja",
                title=f"Gallery: {page.title}",
                rule=files.rule,
                frames=root.main_n_frames,
                missing=[*files.missing, *gallery.unreadable],
                world=root.world is not None,
            ),
        )
        write_text(folder / INDEX, page.html(lacking))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Written(size, len(gallery.values["questions"]), files.rule, lacking)


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Yields a new folder beside `out` that takes its place when the block ends, and is removed when it raises.

    Raises:
        UsageError: `out` is there and neither empty nor an earlier report.
    """
    if out.exists() and not (out.is_dir() and ({INDEX, DATA} <= (names := set(os.listdir(out))) or not names)):
        raise UsageError(f"{out} is there and is no report; choose another folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        yield draft
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
