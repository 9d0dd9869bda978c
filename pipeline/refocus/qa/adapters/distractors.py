"""Wrong options for open-ended rows, drawn from what other rows of the same kind answer.

A draw takes a random *row*, so that an answer is offered as often as it is right and its rarity gives nothing away.
Rows stand on a circle at the hash of their id; a draw starts at the hash of (seed, row, number of the draw) and takes
the next answer it may. So the order of the rows does not matter, and a row that comes or goes changes few questions.
"""

import hashlib
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence

from refocus.qa.raw_question import normalised


class AnswerPool:
    """The answers of one kind: pairs of a row's id and what it answers."""

    def __init__(self, answers: Iterable[tuple[str, str]]) -> None:
        circle = sorted((_point([source_id]), answer) for source_id, answer in set(answers))
        self._points = [point for point, _ in circle]
        self._answers = [(answer, normalised(answer), frozenset(normalised(answer).split())) for _, answer in circle]

    def choices(self, source_id: str, answer: str, wrong: int, seed: int) -> tuple[tuple[str, ...], int]:
        """Options of one row, the right one among them, in an order of its own.

        An answer whose words contain the right one's, or are contained in them ("hair", "short hair"), could be right
        as well and is not offered.

        Args:
            wrong: how many wrong options are wanted; there are fewer if the pool has no more.
        Returns:
            the options and the index of the right one.
        """
        words = frozenset(normalised(answer).split())
        taken = {normalised(answer): answer}
        for draw in range(wrong):
            found = self._next(_point([str(seed), source_id, str(draw)]), words, taken)
            if found is None:
                break
            taken[normalised(found)] = found
        options = sorted(taken.values(), key=lambda option: _point([str(seed), source_id, "place", option]))
        return tuple(options), options.index(answer)

    def _next(self, point: int, words: frozenset[str], taken: Mapping[str, str]) -> str | None:
        """The first answer at or after a point of the circle that may be offered."""
        start = bisect(self._points, point)
        for step in range(len(self._answers)):
            answer, form, others = self._answers[(start + step) % len(self._answers)]
            if form not in taken and not (words <= others or others <= words):
                return answer
        return None


def usable(text: str) -> bool:
    """Whether UTF-8 can hold a text, so that offering it cannot spoil another row."""
    return "\0" not in text and text == text.encode("utf-8", "replace").decode("utf-8")


def _point(parts: Sequence[str]) -> int:
    """64 bits that depend on the parts alone; lone surrogates included."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big")
