"""What is asked about a video."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refocus.core.errors import UsageError


@dataclass(frozen=True)
class Ask:
    """A question about a video, with its answer options if it has any.

    Attributes:
        question: the question, without options.
        options: without letters.
        id: what seeds its picks, where they are drawn; the question's own text unless given. A table's `qa_id` here
            gives the draws that the workflow makes for that row.
    """

    question: str
    options: Sequence[str] = ()
    id: str | None = None

    @classmethod
    def of(cls, asked: "str | Ask") -> "Ask":
        """A text is a question without options.

        Raises:
            UsageError: the question is empty or no text, or the options are no list of texts.
        """
        ask = cls(asked) if isinstance(asked, str) else asked
        if not isinstance(ask, cls) or not isinstance(ask.question, str):
            given = getattr(ask, "question", ask)
            raise UsageError(f"a question is a text, not {type(given).__name__}; select_many takes a list of them")
        if not ask.question.strip():
            raise UsageError("the question is empty")
        options = () if isinstance(ask.options, str) else tuple(ask.options or ())
        if isinstance(ask.options, str) or not all(isinstance(option, str) for option in options):
            raise UsageError(f"options are a list of texts, not {ask.options!r:.80}")
        return replace(ask, options=options)
