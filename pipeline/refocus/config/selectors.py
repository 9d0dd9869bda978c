"""Which selectors there are, what each of them reads beside a benchmark, and how their names are written."""

from dataclasses import dataclass
from typing import Literal

from refocus.config.select import PickMode
from refocus.core.errors import UsageError

Need = Literal["truth", "policy", "initial", "selections", "embeddings", "certainty", "import"]
Reads = Literal["nothing", "question", "question and options", "another question", "evidence", "unknown"]
WHOLE: Reads = "question and options"
OPTIONS = "-options"  # ends the names of similarity selectors that read the answer options too


@dataclass(frozen=True)
class SelectorKind:
    """One way of picking frames.

    Attributes:
        of_run: whether it belongs to a training run: `refocus/<run>`.
        needs: when the evidence is visible; the run's policy after training, or before; the picks of `refocus/<run>`;
            the embeddings of frames and texts; the LMM's certainty from single frames; another program's file.
        mode: how it asks that policy, whatever `select.mode` says; None: as that says.
        reads: what the picks depend on beside the video.
        tunable: whether `training_free` decides its picks.
    """

    name: str
    of_run: bool = False
    needs: Need | None = None
    mode: PickMode | None = None
    reads: Reads = "nothing"
    tunable: bool = False

    @property
    def asks_policy(self) -> bool:
        """Whether a policy picks, so that a GPU helps."""
        return self.needs in ("policy", "initial")

    @property
    def training_free(self) -> bool:
        """Whether it scores frames with a model that was not trained for that: what a learned selector has to beat."""
        return self.needs in ("embeddings", "certainty")

    @property
    def spelling(self) -> str:
        """How its names are written, for messages."""
        return f"{self.name}/<run>" if self.of_run else self.name


def _similarity(name: str) -> tuple[SelectorKind, SelectorKind]:
    """A method that compares frames with the question, and its twin that compares them with the options too."""
    return (
        SelectorKind(name, needs="embeddings", reads="question", tunable=True),
        SelectorKind(name + OPTIONS, needs="embeddings", reads=WHOLE, tunable=True),
    )


KINDS = {
    kind.name: kind
    for kind in (
        SelectorKind("uniform"),
        SelectorKind("random"),
        SelectorKind("uniform-seen", tunable=True),
        *_similarity("topk"),
        *_similarity("aks"),
        *_similarity("bolt"),
        *_similarity("mdp3"),
        SelectorKind("confidence", needs="certainty", reads=WHOLE),
        SelectorKind("initial", of_run=True, needs="initial", reads=WHOLE),
        SelectorKind("refocus-question", of_run=True, needs="policy", reads="question"),
        SelectorKind("refocus", of_run=True, needs="policy", reads=WHOLE),
        SelectorKind("greedy", of_run=True, needs="policy", mode="greedy", reads=WHOLE),
        SelectorKind("first-step", of_run=True, needs="policy", mode="first_step", reads=WHOLE),
        SelectorKind("marginals", of_run=True, needs="policy", mode="top_marginal", reads=WHOLE),
        SelectorKind("swapped", of_run=True, needs="selections", reads="another question"),
        SelectorKind("oracle", needs="truth", reads="evidence"),
    )
}  # in the order of tables and figures
IMPORTED = SelectorKind("imported", needs="import", reads="unknown")  # `imported/<name>`, an entry of `imports`


@dataclass(frozen=True)
class SelectorName:
    """A kind, as `uniform` or `topk`; a kind and the training run it belongs to, as in `refocus/demo`; or what another
    program picked, `imported/<name>`."""

    kind: str
    run: str | None = None
    imported: str | None = None

    @classmethod
    def parse(cls, text: str) -> "SelectorName":
        """Reads a selector's name.

        Raises:
            UsageError: there is no such selector, or the run is missing.
        """
        name, slash, run = text.partition("/")
        if name == IMPORTED.name and run and "/" not in run:
            return cls(name, imported=run)
        kind = KINDS.get(name)
        if kind is None or kind.of_run != bool(run and "/" not in run) or (slash and not kind.of_run):
            raise UsageError(f"no selector is called '{text}'; there are {spellings()}")
        return cls(name, run or None)

    @property
    def needs(self) -> Need | None:
        """See `SelectorKind.needs`."""
        return self._kind.needs

    @property
    def mode(self) -> PickMode | None:
        """See `SelectorKind.mode`."""
        return self._kind.mode

    @property
    def asks_policy(self) -> bool:
        """See `SelectorKind.asks_policy`."""
        return self._kind.asks_policy

    @property
    def tunable(self) -> bool:
        """See `SelectorKind.tunable`."""
        return self._kind.tunable

    @property
    def reads_options(self) -> bool:
        """Whether the picks depend on the answer options."""
        return self._kind.reads == WHOLE

    @property
    def _kind(self) -> SelectorKind:
        return KINDS.get(self.kind, IMPORTED)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.kind, self.run, self.imported)))


def spellings() -> str:
    """Every selector as it is written, for messages and help texts."""
    return ", ".join([*(kind.spelling for kind in KINDS.values()), f"{IMPORTED.name}/<name>"])


def of_run(name: str) -> bool:
    """Whether a selector of this name belongs to a training run."""
    kind = KINDS.get(kind_of(name))
    return kind is not None and kind.of_run


def kind_of(name: str) -> str:
    """The part of a selector's name that says how it picks, also of one from elsewhere: `refocus` of `refocus/demo`."""
    return name.partition("/")[0]


def run_of(name: str) -> str:
    """The training run in a selector's name; empty where it has none."""
    return name.partition("/")[2]


def slug(name: str) -> str:
    """A selector's name as one part of a path: `refocus/demo` becomes `refocus--demo`."""
    return name.replace("/", "--", 1)


def unslug(text: str) -> str:
    """The inverse of `slug`."""
    return text.replace("--", "/", 1)
