"""Questions that occur twice or more in the training pool: the same video, question and options.

LLaVA-Video-178K contains NExT-QA and Perception Test, and some NExT-QA clips twice. The copy that is met first is kept.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from refocus.core.files import canonical
from refocus.qa.origin import origin
from refocus.qa.records import Question

REASON = "duplicate"
SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("reason", pa.string()),
        ("dataset", pa.string()),
        ("source_id", pa.string()),
        ("of", pa.string()),  # qa_id of the copy that stays
        ("of_dataset", pa.string()),
    ]
)
_TAIL = " .?!,;:…"  # NExT-QA writes `why does he jump`, LLaVA-Video `Why does he jump?`


@dataclass
class Duplicates:
    """Finds copies in questions given one after the other; holds about 200 bytes per distinct question.

    Attributes: `questions`, how many each data set has; `copies`, how many questions of a data set are copies of one in
    the other (`copies[dataset, of]`).
    """

    questions: Counter[str] = field(default_factory=Counter)
    copies: Counter[tuple[str, str]] = field(default_factory=Counter)
    _first: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def find(self, format: str, questions: Iterable[Question]) -> Iterator[dict[str, Any]]:
        """Rows of `SCHEMA` for those that were met before, in this call or an earlier one.

        Args:
            format: the adapter that read them; says how their paths name a video.
        """
        for question in questions:
            self.questions[question.dataset] += 1
            key = identity(format, question)
            of, of_dataset = self._first.setdefault(key, (question.qa_id, question.dataset))
            if of != question.qa_id:
                self.copies[question.dataset, of_dataset] += 1
                yield {
                    "qa_id": question.qa_id,
                    "reason": REASON,
                    "dataset": question.dataset,
                    "source_id": question.source_id,
                    "of": of,
                    "of_dataset": of_dataset,
                }

    def summary(self) -> dict[str, Any]:
        """Counts as plain values: `pairs` is the table data set × data set, each copy counted once."""
        pairs: dict[str, dict[str, int]] = {name: {} for name in self.questions}
        for (dataset, of), count in self.copies.items():
            pairs[dataset][of] = count
        return {"questions": dict(self.questions), "duplicates": self.copies.total(), "pairs": pairs}


def identity(format: str, question: Question) -> bytes:
    """16 bytes that two questions share when they ask the same with the same options about the same part of a video.

    Where a clip ends does not count: Perception Test cuts off endings that LLaVA-Video leaves on.
    """
    video = origin(format, question)
    start_ms = round(1000 * (question.start_s or 0))
    options = sorted(plain(option) for option in question.options)
    value = [video.corpus, video.name, start_ms, plain(question.question), options]
    return hashlib.blake2b(canonical(value).encode(), digest_size=16).digest()


def plain(text: str) -> str:
    """Text as it is compared: one Unicode form and case, single spaces, no punctuation at the end."""
    if not text.isascii():  # else it is in its form already
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split()).rstrip(_TAIL)
