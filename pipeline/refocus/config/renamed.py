"""Settings that were renamed or dropped: the old names work for one release, with a warning that says what to write."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from refocus.config.layers import unshared
from refocus.core.errors import UsageError

REMOVED_IN = "0.3.0"  # the release that no longer reads the old names

# Old dotted path -> new one; `*` stands for an entry's name.
RENAMED = {
    "decode.frames": "decode.storage",
    "train.frames": "train.picks",
    "train.entropy": "train.entropy_weight",
    "train.clip_norm": "train.max_grad_norm",
    "train.warmup": "train.lr_warmup",
    "train.decay": "train.lr_decay",
    "train.storage": "train.save_dtype",
    "train.runtime.micro_batch": "train.runtime.clips_per_micro_batch",
    "train.runtime.checkpointing": "train.runtime.gradient_checkpointing",
    "train.runtime.keep": "train.runtime.keep_checkpoints",
    "answer.frames": "answer.pixels",
    "answer.frames_list": "answer.n_frames",
    "answer.budget": "tables.n_frames",
    "tables.level": "tables.confidence_level",
    "tables.resamples": "tables.bootstrap_resamples",
    "figures.marginal_samples": "likelihood.samples",
    "figures.level": "figures.confidence_level",
    "datasets.*.options": "datasets.*.adapter_options",
    "benchmarks.*.options": "benchmarks.*.adapter_options",
    "doctor.max_missing": "doctor.max_missing_share",
    "doctor.max_rejected": "doctor.max_rejected_share",
    "doctor.sources.*.max_missing": "doctor.sources.*.max_missing_share",
    "doctor.sources.*.max_rejected": "doctor.sources.*.max_rejected_share",
    "plan.jpeg_kb": "plan.jpeg_frame_kb",
    "plan.film_kb": "plan.video_frame_kb",
    "plan.row_bytes": "plan.margin_row_bytes",
}
RENAMED |= {f"runs.*.{old}": f"runs.*.{new}" for old, new in RENAMED.items() if old.startswith("train.")}

# Settings that nothing reads any more, and what does their work; they are left out.
UNREAD = {
    "lmms.*.runtime": "the `runtime` of the stage that runs the LMM (`reward`, `train`, `answer`)",
    "figures.strip_frames": "nothing in its place, as Figs. 9 to 13 show the frames that were picked",
}

log = logging.getLogger(__name__)
Keys = tuple[str, ...]


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, one layer of a configuration, with every old name replaced by the new one; one warning lists them.

    Settings that nothing reads any more are left out, with a warning of their own.

    Layers are renamed before they are laid over config.yaml, which holds all new names.

    Raises:
        UsageError: an old name and its new one are both set.
    """
    renamed, found = unshared(values), []
    for old, new in _old_names(renamed):
        value = _parent(renamed, old).pop(old[-1])
        parent = _parent(renamed, new, make=True)
        if new[-1] in parent:
            raise UsageError(
                f"{_dotted(old)} is the old name of {_dotted(new)}, and both are set: keep the new one "
                "(overlays that are given together count as one)"
            )
        parent[new[-1]] = value
        found.append(f"{_dotted(old)} is now {_dotted(new)}")
    for key, instead in _unread(renamed):
        del _parent(renamed, key)[key[-1]]
        log.warning("%s is not read: set %s; version %s will refuse it", _dotted(key), instead, REMOVED_IN)
    if found:
        log.warning("renamed settings: %s; version %s will refuse the old names", "; ".join(found), REMOVED_IN)
    return renamed


def without_old_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without the keys that have an old name or are not read."""
    kept = unshared(values)
    for old, _ in [*_old_names(kept), *_unread(kept)]:
        del _parent(kept, old)[old[-1]]
    return kept


def current_section(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`current_names` for one section's values by themselves.

    Raises:
        UsageError: also for a key that has moved to another section.
    """
    renamed = current_names({name: values})
    section = renamed.pop(name)
    for other, moved in renamed.items():
        raise UsageError(f"{', '.join(f'{other}.{key}' for key in moved)} is no longer a setting of `{name}`")
    return section


def _old_names(values: Mapping[str, Any]) -> list[tuple[Keys, Keys]]:
    """The old names that are set, each with its new one, as keys from the top."""
    return [pair for old, new in RENAMED.items() for pair in _entries(values, old.split("."), new.split("."))]


def _unread(values: Mapping[str, Any]) -> list[tuple[Keys, str]]:
    """The settings that are given and not read, each with what is read in its place."""
    return [
        (key, instead)
        for path, instead in UNREAD.items()
        for key, _ in _entries(values, path.split("."), path.split("."))
    ]


def _entries(values: Mapping[str, Any], old: list[str], new: list[str]) -> Iterator[tuple[Keys, Keys]]:
    """One pair of names for every entry that `*` stands for, where the old name is set."""
    names = _parent(values, (*old[: old.index("*")], "*")) if "*" in old else ("",)
    for name in names:
        keys, renewed = (tuple(name if key == "*" else key for key in path) for path in (old, new))
        if keys[-1] in _parent(values, keys):
            yield keys, renewed


def _parent(values: Any, keys: Keys, make: bool = False) -> Any:
    """The mapping that holds the last of `keys`; an empty one where there is none, which `make` puts in its place."""
    for key in keys[:-1]:
        values = values.setdefault(key, {}) if make else values.get(key)
        if not isinstance(values, Mapping):
            return {}
    return values


def _dotted(keys: Keys) -> str:
    return ".".join(keys)
