"""A sample that is the same in every run, and the same on every machine."""

import heapq
import zlib
from collections.abc import Iterable


def fixed_sample(names: Iterable[str], number: int) -> list[str]:
    """So many of the names, or all there are: those whose checksums are lowest, so that no order is preferred."""
    return heapq.nsmallest(number, names, key=lambda name: (zlib.crc32(name.encode("utf-8", "surrogateescape")), name))
