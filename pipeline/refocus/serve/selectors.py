"""The selectors that the page offers, each loaded when it is first asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.config.select import SelectSettings
from refocus.config.selectors import KINDS
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.errors import UsageError
from refocus.select.by_name import without_training
from refocus.select.frame_selector import FrameSelector

OFFERED = tuple(
    kind.name for kind in KINDS.values() if kind.needs == "embeddings" or kind.name in ("uniform", "random")
)


@dataclass
class PageSelectors:
    """Selectors by the names that they have on the page.

    Attributes:
        model: what selectors without training ask, a CLIP or SigLIP; with no selector named, a policy.
        typed: whether names that nobody offered are looked for, which reads any folder of this machine or hub id.
    """

    settings: SelectSettings
    model: str | Path | None = None
    numbers: TrainingFreeSettings = field(default_factory=TrainingFreeSettings)
    typed: bool = True
    chosen: tuple[str, ...] = ()
    _loaded: dict[str, FrameSelector] = field(default_factory=dict)

    def choose(self, names: Sequence[str]) -> None:
        """Loads the selectors that are asked unless the user of the page says otherwise.

        Without a name they are what `refocus select` picks with, and `uniform` to compare it with.

        Raises:
            UsageError: there is no such selector or model.
        """
        if names:
            self.chosen = tuple(dict.fromkeys(names))
        else:
            default = FrameSelector.from_pretrained(
                model=self.model, settings=self.settings, training_free=self.numbers
            )
            label = f"default ({default.name})" if self.model is None else str(self.model)
            self._loaded[label], self.chosen = default, (label, "uniform")
        for name in self.chosen:
            self._load(name)

    @property
    def offered(self) -> list[str]:
        """The names to choose from, those that are chosen first."""
        return list(dict.fromkeys([*self.chosen, *OFFERED]))

    def named(self, name: str) -> FrameSelector:
        """The selector of that name.

        Raises:
            UsageError: there is none, or it was not offered and names are not `typed`.
        """
        if not self.typed and name not in self.offered:
            raise UsageError(f"{name} is not among the selectors that this page offers")
        return self._load(name)

    def _load(self, name: str) -> FrameSelector:
        if name not in self._loaded:
            self._loaded[name] = FrameSelector.from_pretrained(
                name, model=self._asked_by(name), settings=self.settings, training_free=self.numbers
            )
        return self._loaded[name]

    def _asked_by(self, name: str) -> str | Path | None:
        """`model` for a selector that asks one; a policy and `uniform` do not."""
        method = without_training(name)[0]
        return self.model if method is not None and KINDS[method].training_free else None
