"""What a generated reply says: the option that it names, or, without options, whether it gives the answer."""

from dataclasses import dataclass

from refocus.config.answer import Extractor
from refocus.evaluate import open_answers
from refocus.evaluate.authors import authors_rule
from refocus.evaluate.letters import FOLLOWS, NONE, named_option
from refocus.qa.records import Question


@dataclass(frozen=True)
class Reading:
    """How replies are read. extractor: whose rule finds letters; form: the benchmark's format, which has authors."""

    extractor: Extractor
    form: str = ""

    def of(self, question: Question, reply: str) -> tuple[int, bool]:
        """The place of the option that a reply names, `NONE` for none, and whether the reply is right."""
        if not question.options:
            return NONE, open_answers.answers_open(reply, question.answer_text)
        named = named_option(reply, question.options, self.extractor, self.form)
        return named, named == question.answer_index

    @property
    def follows(self) -> str:
        """The harness that the letters are found as by, with its version."""
        return authors_rule(self.form).follows if self.extractor == "authors" else FOLLOWS
