"""From a selector's name to the selector, with what it reads beside the questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.core.devices import claim
from refocus.core.errors import UsageError
from refocus.frames.frame_store import FrameStore
from refocus.select.baselines import OracleSelector, RandomSelector, UniformSelector, read_truth
from refocus.select.selections import frames_of, read_selections, selection_files
from refocus.select.selector import Selector
from refocus.select.swapped import SwappedSelector


@dataclass(frozen=True)
class SelectorSources:
    """What selectors may read; each needs one of them or none, see `refocus.config.selectors.SelectorKind.needs`.

    Attributes:
        truth: the table of when each question's evidence is visible.
        selections: files or folders of the picks of `refocus/<run>`.
        policy: folder or hub id of the policy.
    """

    truth: Path | None = None
    selections: Sequence[Path] = ()
    policy: str | None = None


def build_selector(
    name: SelectorName, sources: SelectorSources, settings: SelectSettings, store: FrameStore, benchmark: str
) -> Selector:
    """The selector called `name` for one benchmark, whose frames are in `store`.

    Raises:
        UsageError: what it needs is not among the sources.
        ResourceMissing: its policy is to run on a GPU and none is free.
    """
    if name.kind == "uniform":
        return UniformSelector()
    if name.kind == "random":
        return RandomSelector(settings.seed)
    if name.kind == "oracle":
        if sources.truth is None:
            raise UsageError("oracle needs --truth, the table of when each question's evidence is visible")
        return OracleSelector(read_truth(sources.truth, benchmark))
    if name.kind == "swapped":
        if not sources.selections:
            raise UsageError(f"{name} needs --from, the selections of refocus/{name.run}")
        files = [file for path in sources.selections for file in (selection_files(path) if path.is_dir() else [path])]
        return SwappedSelector({frames_of(file): read_selections(file) for file in files})
    if sources.policy is None:
        raise UsageError(f"{name} needs --model, the folder of the trained policy")
    if name.mode is not None:
        settings = settings.model_copy(update={"mode": name.mode})
    return _policy_selector(sources.policy, settings, store, nested=name.mode != "top_marginal")


def _policy_selector(path: str, settings: SelectSettings, store: FrameStore, nested: bool) -> Selector:
    from refocus.select.policy_selector import PolicySelector, load_policy

    runtime = settings.runtime
    claim(runtime.device)
    policy = load_policy(path, runtime.device, runtime.threads, runtime.kernels)
    return PolicySelector(policy, lambda clip_id: store.images(clip_id, size=policy.frame_size), settings, nested)
