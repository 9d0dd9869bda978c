"""Reading the headers of many videos at once, or of a fair sample of them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from refocus.core.fixed_sample import fixed_sample
from refocus.core.progress import bar
from refocus.doctor.file_header import Header, read_header

THREADS = 16  # they wait for the disk, not for a core
CHUNK = 256  # files handed over at once
SMALL = 64 * 1024  # bytes; hardly a video is smaller, an error page always


def choose(sizes: Mapping[str, int], number: int | None) -> tuple[list[str], list[str]]:
    """Which videos are read: all small ones, and a fixed sample of the others.

    Args:
        sizes: bytes by path.
        number: size of the sample; None: all the others.
    Returns:
        the small ones, and the sample of the others.
    """
    small = [path for path, size in sizes.items() if size < SMALL]
    large = [path for path, size in sizes.items() if size >= SMALL]
    if number is None or number >= len(large):
        return small, large
    return small, fixed_sample(large, number)


def read_headers(root: Path, paths: Sequence[str]) -> dict[str, Header]:
    """Headers by path."""
    found: dict[str, Header] = {}
    with (
        ThreadPoolExecutor(THREADS) as pool,
        bar(total=len(paths), desc=f"read headers in {root.name}", unit="file") as progress,
    ):
        for first in range(0, len(paths), CHUNK):
            part = paths[first : first + CHUNK]
            found.update(zip(part, pool.map(lambda path: read_header(root / path), part), strict=True))
            progress.update(len(part))
    return found
