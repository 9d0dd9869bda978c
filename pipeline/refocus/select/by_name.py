"""Which selector a name means: one without training, or a policy's folder or hub id."""

import logging
from pathlib import Path

from refocus.config.decode import DecodeSettings
from refocus.config.select import SelectSettings
from refocus.config.selectors import KINDS, SelectorName
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.core.extras import require
from refocus.core.model_folder import AS_LOGGED_IN, HubAccess, local_folder, no_such_folder
from refocus.select.frame_selector import FrameSelector
from refocus.select.policy_frames import embedded_model, load_policy_selector

log = logging.getLogger(__name__)

SCORERS = {  # what stands before a selector's name, and the model that it then asks
    "siglip2": "google/siglip2-base-patch16-224",
    "siglip": "google/siglip-so400m-patch14-384",
    "clip": "openai/clip-vit-large-patch14",
}
SMALL = "siglip2"  # asked unless another is named: 0.4 billion parameters, most of them its vocabulary
BEST = "mdp3-options"  # without training, on questions about two moments (docs/evidence.md)


def selector_by_name(
    name: str | Path | None,
    model: str | Path | None = None,
    settings: SelectSettings | None = None,
    decode: DecodeSettings | None = None,
    training_free: TrainingFreeSettings | None = None,
    access: HubAccess = AS_LOGGED_IN,
) -> FrameSelector:
    """See `FrameSelector.from_pretrained`; access: how a policy is fetched."""
    settings = settings or SelectSettings()
    if access != AS_LOGGED_IN and ((name or model) is None or without_training(str(name))[0] is not None):
        raise UsageError(
            "a revision or a token is for a policy of the hub, and none is named (of what a selector without training "
            "asks, OWNER/NAME@REVISION is a revision)"
        )
    if name is None and model is None:
        return _default(settings, decode, training_free)
    if name is None:
        return load_policy_selector(str(model), settings, decode, access)
    method, scorer = without_training(str(name))
    if method is None:
        folder = local_folder(name)
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{no_such_folder(name)}; selectors without training are {known_names()}")
        if model is not None:
            raise UsageError(f"{name} is no selector without training, so it asks no other model ({model})")
        return load_policy_selector(name, settings, decode, access)
    asked = str(model) if model is not None else scorer
    return _without_training(SelectorName.parse(method), asked, settings, decode, training_free)


def known_names() -> str:
    """The names of selectors that need no training, for messages and help."""
    return ", ".join(kind.name for kind in KINDS.values() if not kind.of_run and kind.needs != "truth")


def without_training(name: str) -> tuple[str | None, str | None]:
    """`siglip2-aks` → aks and its model; `aks` → aks and None; what is none of these → None twice: a policy."""
    for short, model in SCORERS.items():
        method = name.removeprefix(f"{short}-")
        if method != name and method in KINDS and KINDS[method].needs == "embeddings":
            return method, model
    kind = KINDS.get(name)
    return (None, None) if kind is None or kind.of_run else (name, None)


def _without_training(
    name: SelectorName,
    model: str | None,
    settings: SelectSettings,
    decode: DecodeSettings | None,
    numbers: TrainingFreeSettings | None,
) -> FrameSelector:
    from refocus.select import training_free_frames as made

    decode, numbers = decode or DecodeSettings(), numbers or TrainingFreeSettings()
    if name.needs is None:
        if model is not None:
            raise UsageError(f"{name} asks no model: leave {model} out")
        return made.SpreadFrameSelector(name, settings, decode, numbers)
    if name.needs == "embeddings":
        return made.SimilarityFrameSelector(name, model or SCORERS[SMALL], settings, decode, numbers)
    if name.needs != "certainty":
        raise UsageError(f"{name} picks for a benchmark only; a video is asked about with {known_names()} or a policy")
    if model is None:
        raise UsageError(f"{name} needs a model, the LMM that it asks")
    require("pyarrow")  # which the LMM's side of it reads tables with
    from refocus.select.confidence_frames import ConfidenceFrameSelector

    return ConfidenceFrameSelector(model, settings, decode)


def _default(
    settings: SelectSettings, decode: DecodeSettings | None, numbers: TrainingFreeSettings | None
) -> FrameSelector:
    """The best without training where its model can be had, else the tiny policy of the synthetic world."""
    try:
        selector = _without_training(SelectorName.parse(BEST), SCORERS[SMALL], settings, decode, numbers)
    except RefocusError as error:
        world = load_policy_selector(embedded_model(), settings, decode)
        log.warning("no policy is named, and what needs no training cannot be had: %s", error)
        log.warning("so the tiny policy of the synthetic world picks, which has never seen a real video")
        return world
    log.info("no policy is named: %s with %s picks, which needs no training", BEST, SCORERS[SMALL])
    return selector
