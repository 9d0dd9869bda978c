"""From a selector's name to the selector, with what it reads beside the questions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.devices import claim
from refocus.core.errors import UsageError
from refocus.frames.frame_store import FrameStore
from refocus.qa.evidence import read_evidence
from refocus.select.baselines import (
    OracleSelector,
    RandomSelector,
    UniformSeenSelector,
    UniformSelector,
)
from refocus.select.certainty import read_certainty
from refocus.select.cost import Cost, cost_of
from refocus.select.embeddings import EmbeddingStore
from refocus.select.methods import method
from refocus.select.selections import frames_of, read_selections, selection_files
from refocus.select.selector import Selector
from refocus.select.similarity import ConfidenceSelector, SimilaritySelector
from refocus.select.swapped import SwappedSelector


@dataclass(frozen=True)
class SelectorSources:
    """What selectors may read; each needs one of them or none, see `refocus.config.selectors.SelectorKind.needs`.

    Attributes:
        truth: the table of when each question's evidence is visible.
        selections: files or folders of the picks of `refocus/<run>`.
        policy: folder or hub id of the policy.
        embeddings, certainty: tables of scores.
        training_free: the methods' own numbers.
    """

    truth: Path | None = None
    selections: Sequence[Path] = ()
    policy: str | None = None
    embeddings: Sequence[Path] = ()
    certainty: Sequence[Path] = ()
    training_free: TrainingFreeSettings = field(default_factory=TrainingFreeSettings)

    @property
    def cost(self) -> Cost:
        """What it took to make the tables of scores."""
        return cost_of([*self.embeddings, *self.certainty])


def build_selector(
    name: SelectorName, sources: SelectorSources, settings: SelectSettings, store: FrameStore, benchmark: str
) -> Selector:
    """The selector called `name` for one benchmark, whose frames are in `store`.

    Raises:
        UsageError: what it needs is not among the sources.
        ResourceMissing: its policy is to run on a GPU and none is free.
    """
    if name.imported is not None:
        raise UsageError(f"{name} was picked by another program: `refocus import` makes its table, from a file")
    if name.kind == "uniform":
        return UniformSelector()
    if name.kind == "random":
        return RandomSelector(settings.seed)
    if name.kind == "uniform-seen":
        return UniformSeenSelector(sources.training_free.seen_frames)
    if name.needs == "embeddings":
        if not sources.embeddings:
            raise UsageError(f"{name} needs --embeddings, what `refocus embed` made of the benchmark")
        embeddings = EmbeddingStore.open(sources.embeddings)
        return SimilaritySelector(method(name.kind, sources.training_free), embeddings.clip, name.reads_options)
    if name.needs == "certainty":
        if not sources.certainty:
            raise UsageError(f"{name} needs --certainty, what `refocus certainty` made of the benchmark")
        return ConfidenceSelector(read_certainty(sources.certainty))
    if name.kind == "oracle":
        if sources.truth is None:
            raise UsageError("oracle needs --truth, the table of when each question's evidence is visible")
        return OracleSelector(read_evidence(sources.truth, benchmark))
    if name.kind == "swapped":
        if not sources.selections:
            raise UsageError(f"{name} needs --from, the selections of refocus/{name.run}")
        files = [file for path in sources.selections for file in (selection_files(path) if path.is_dir() else [path])]
        return SwappedSelector({frames_of(file): read_selections(file) for file in files})
    if sources.policy is None:
        raise UsageError(f"{name} needs --model, the folder of the trained policy")
    return _policy_selector(name, sources.policy, settings, store)


def _policy_selector(name: SelectorName, path: str, settings: SelectSettings, store: FrameStore) -> Selector:
    from refocus.policy.trained_for import read_trained_for
    from refocus.select.policy_selector import PolicySelector, load_policy

    runtime, trained_for = settings.runtime, read_trained_for(path)
    if trained_for is not None:
        for sampled in store.sampling():
            trained_for.decode(sampled)
    claim(runtime.device)
    policy = load_policy(path, runtime.device, runtime.threads, runtime.kernels)
    if name.mode is not None:
        settings = settings.model_copy(update={"mode": name.mode})
    return PolicySelector(
        policy,
        lambda clip_id: store.images(clip_id, size=policy.frame_size),
        settings,
        nested=name.mode != "top_marginal",
        with_options=name.reads_options,
    )
