"""What makes two results the same: the fingerprints the store is keyed by."""

import functools
from pathlib import Path
from typing import Any

from refocus.config.root import Root
from refocus.core.checksums import DESCRIPTIONS, PROVENANCE
from refocus.core.content import content, mark
from refocus.core.errors import UsageError
from refocus.core.files import digest
from refocus.core.model_folder import CONFIG, WEIGHTS, WEIGHTS_INDEX, local_folder, shipped_folder
from refocus.core.results_folder import KEPT_CHECKPOINTS, KEPT_FRAMES, KEPT_MARGINS, KEPT_SHARDS, STORE


def weights(path: str) -> str:
    """12 hex digits for a model: its files' contents for a folder, the name for a hub id.

    Where training described the weights (`refocus.policy.provenance`), the description does not count: with another
    card, or trained by another command to the same weights, a policy picks the same. In every other folder all files
    count, as they always have, so that no finished result is known by another name.
    """
    folder = local_folder(path)
    if folder is None or not folder.is_dir():
        return digest({"hub": path})
    aside = DESCRIPTIONS if (folder / PROVENANCE).is_file() else ()
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and file.name not in aside]
    return digest({file.name: _content(file, mark(file)) for file in files})


def model_files(path: str) -> list[str]:
    """The files of a model folder that a rule takes as input, large models' weights in several; none for a hub id.

    None either for a model inside the project: where that is installed says nothing, and `weights` says what it is.
    """
    folder = local_folder(path)
    if folder is None or shipped_folder(path) is not None:
        return []
    return [str(folder / CONFIG), str(folder / (WEIGHTS_INDEX if (folder / WEIGHTS_INDEX).is_file() else WEIGHTS))]


def decode_fingerprint(root: Root, name: str) -> str:
    """Of the stored frames of one data set."""
    return digest(_decode(root, name))


def reward_fingerprint(root: Root, name: str) -> str:
    """Of the stored margins of one data set."""
    return digest(_reward(root, name))


def train_fingerprint(root: Root, run: str) -> str:
    """Of one run's checkpoints: every section they depend on."""
    train, policy = root.run_train(run), root.run_policy(run)
    return digest(
        {
            "data": {name: [_entry(root, name), _reward(root, name)] for name in root.use.datasets},
            "ingest": root.ingest.identity(),
            "screen": _screen(root),
            "filter": root.filter.identity(),
            "policy": [policy.identity(), weights(policy.start)],
            "train": [train.identity(), _lmm(root, train.reward_model)],
        }
    )


def frames_kept(root: Root, name: str) -> str:
    """The folder of one data set's shards, below the store."""
    return _in_store(KEPT_FRAMES.fill(fingerprint=decode_fingerprint(root, name), dataset=name))


def margins_kept(root: Root, name: str) -> str:
    """The folder of one data set's margins, below the store."""
    return _in_store(KEPT_MARGINS.fill(fingerprint=reward_fingerprint(root, name), dataset=name))


def checkpoints_kept(root: Root, run: str) -> str:
    """The folder of one run's checkpoints, below the store."""
    return _in_store(KEPT_CHECKPOINTS.fill(fingerprint=train_fingerprint(root, run)))


def all_kept(root: Root) -> set[str]:
    """What a configuration refers to in the store: of all data sets, benchmarks and runs it defines, used or not.

    Raises:
        UsageError: a model's folder is missing, so that its fingerprint cannot be known.
    """
    paths = {root.reward.model} | {root.run_train(run).reward_model for run in root.runs}
    models = [root.lmms[name].path for name in paths if name in root.lmms]
    models += [root.run_policy(run).start for run in root.runs]
    for model in models:
        folder = local_folder(model)
        if folder is not None and not folder.is_dir():
            raise UsageError(
                f"{model}: no such model folder, so what was computed with it cannot be told from the rest"
            )
    sources = [*root.datasets, *root.benchmarks]
    kept = {_in_store(KEPT_SHARDS.fill(dataset=name)) for name in sources}
    kept |= {frames_kept(root, name) for name in sources}
    if root.reward.model in root.lmms:
        kept |= {margins_kept(root, name) for name in sources}
    return kept | {checkpoints_kept(root, run) for run in root.runs}


def _in_store(path: str) -> str:
    return path.removeprefix(f"{STORE}/")


def _decode(root: Root, name: str) -> dict[str, Any]:
    drawn = root.drawn_from(name)
    return {"decode": root.decode_of(name).fingerprint(), "world": drawn.identity() if drawn else None}


def _screen(root: Root) -> dict[str, Any]:
    """What is taken out of the pairs: copies (the first data set in use keeps its own) and benchmarks' videos."""
    taken: dict[str, Any] = {}
    if root.screen.duplicates == "drop":
        taken["duplicates"] = list(root.use.datasets)
    if root.screen.leaks == "drop":
        taken["leaks"] = {name: _entry(root, name) for name in root.use.benchmarks}
    return taken


def _entry(root: Root, name: str) -> dict[str, Any]:
    """What a source's entry says of its questions: not how many shards they fill, how many of its videos may fail, or
    which of their frames are kept.

    Settings younger than the first runs are left out at their defaults, so that they make no finished run another one.
    """
    source = root.source(name)
    young = set() if source.allowed_roots else {"allowed_roots"}
    return source.model_dump(mode="json", exclude={"max_failure_rate", "shards", "keep_last_frame"} | young)


def _reward(root: Root, name: str) -> dict[str, Any]:
    return {"frames": _decode(root, name), "reward": root.reward.identity(), "lmm": _lmm(root, root.reward.model)}


def _lmm(root: Root, name: str) -> list[Any]:
    return [root.lmms[name].identity(), weights(root.lmms[name].path)]


@functools.cache
def _content(file: Path, marked: tuple[int, ...]) -> str:
    """SHA-256 of a file; `marked` keeps this process's memory of it honest."""
    return content(file)
