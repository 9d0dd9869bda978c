"""What the site needs beside MkDocs: links out of docs/ that lead somewhere, and no page that loads from elsewhere.

A link such as `../config/paper.yaml` works on a code host and would lead nowhere on the site. Every file of the
repository that some page links to becomes a page below `project/`, Markdown as it is and all else as a code block.
"""

import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS, PROJECT = "docs/", "project/"
FENCED = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)")
CODE_IN_ROW = re.compile(r"`[^`\n]*`(?=.*\|$)", re.MULTILINE)
LOADED = re.compile(r"<(?:script|img|iframe|source|video|link)\b[^>]*\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")

log = logging.getLogger("mkdocs.hooks.site")  # below `mkdocs`, so that --strict counts its warnings


def on_files(files: Files, config: Any) -> Files:
    """Adds a page for each file outside docs/ that a page links to, and for what these link to in turn."""
    waiting = [(page.src_uri, page.content_string) for page in files.documentation_pages()]
    while waiting:
        for path in linked_files(*waiting.pop()):
            if page_of(path) not in files.src_uris and not path.startswith(DOCS):
                shown = File.generated(config, page_of(path), content=text_of(path))
                files.append(shown)
                waiting.append((shown.src_uri, shown.content_string))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page as the site has it."""
    here = page.file.src_uri

    def on_site(link: re.Match[str]) -> str:
        path = in_repository(here, link[1])
        return posixpath.relpath(page_of(path), posixpath.dirname(here) or ".") if path else link[1]

    parts = FENCED.split(markdown)  # fenced blocks at the odd places
    for number, prose in enumerate(parts):
        if not number % 2:
            parts[number] = CODE_IN_ROW.sub(bare_pipes, LINK.sub(on_site, prose))
    return "".join(parts)


def bare_pipes(code: re.Match[str]) -> str:
    """A code host wants `|` escaped in the code of a table; Python-Markdown shows the backslash."""
    return code[0].replace("\\|", "|")


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warns of what a reader's browser would fetch from another host."""
    for address in LOADED.findall(output):
        log.warning("%s loads %s: the site has to work without a network", page.file.src_uri, address)
    return output


def linked_files(src_uri: str, markdown: str) -> Iterator[str]:
    """Paths in the repository that a page links to."""
    for link in LINK.findall(FENCED.sub("", markdown)):
        if path := in_repository(src_uri, link):
            yield path


def in_repository(src_uri: str, link: str) -> str | None:
    """The file that a page's link means, if there is one."""
    page = src_uri.removeprefix(PROJECT) if src_uri.startswith(PROJECT) else DOCS + src_uri
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    return path if (ROOT / path).is_file() else None


def page_of(path: str) -> str:
    """Where the site has a file of the repository."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return PROJECT + path + ("" if path.endswith(".md") else ".md")


def text_of(path: str) -> str:
    """Markdown as it is, else a code block."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    return f"# `{path}`\n\n````{Path(path).suffix.removeprefix('.')}\n{text}\n````\n"
