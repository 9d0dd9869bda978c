"""Addresses (`s3://…`, `https://…`) where a path of a file system is wanted: refused with what to do instead."""

import re

ADVICE = "is an address, and files are read from disks: download or mount it, and name the path"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one slash: what pathlib leaves of two; one letter is a drive


def is_address(text: str) -> bool:
    """Whether a text names something on the net rather than a path."""
    return _SCHEME.match(text) is not None
