"""Where a model is, by one rule: a folder of this machine, or a model of the Hugging Face hub.

| what is given | how it is read |
|---|---|
| a folder that exists | that folder |
| `./x`, `../x`, `/x`, `~/x`; a text without a slash, or with several; no valid hub name | a folder |
| `assets/x` that is not below the current folder | the project's own model, if it has one of that name |
| `assets/x`, or OWNER/NAME where OWNER is a folder here | a folder |
| OWNER/NAME that differs by a typo from a folder here, and is not in the hub's cache on this machine | an error |
| any other OWNER/NAME | a hub id |
| OWNER/NAME@REVISION, where no folder has that name | that branch, tag or commit of the hub model |
"""

import dataclasses
import difflib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refocus.core.checksums import SUMS
from refocus.core.errors import UsageError
from refocus.core.json_text import loads
from refocus.core.project import project_root

CONFIG, WEIGHTS, WEIGHTS_INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SMALL_FILES = ("*.json", "*.txt", "*.model", "*.jinja")  # configurations and tokenizers
MODEL_FILES = (*SMALL_FILES, "*.safetensors", SUMS)  # never pickles
SHIPPED = "assets"  # the models that come with the project, also where they are not there yet
FLOATS = ("Infinity", "-Infinity", "NaN")
CLOSE = 0.75  # of difflib's ratio: `asets` is close to `assets`, `google` is not close to `models`

_NAME = r"[A-Za-z0-9](?:(?!--|\.\.)[A-Za-z0-9._-])*(?<![.-])"  # what the hub allows
_HUB_ID = re.compile(f"{_NAME}/{_NAME}")
_AT = re.compile(rf"({_NAME}/{_NAME})@([A-Za-z0-9][\w./-]*)")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class HubAccess:
    """How a model of the hub is fetched; names and meaning are those of `huggingface_hub.snapshot_download`.

    revision: branch, tag or commit; None: the newest on the default branch. token: None: what `hf auth login` or
    HF_TOKEN left here. cache_dir: None: the hub's own cache.
    """

    revision: str | None = None
    token: str | bool | None = dataclasses.field(default=None, repr=False)
    cache_dir: str | os.PathLike[str] | None = None
    local_files_only: bool = False
    force_download: bool = False


AS_LOGGED_IN = HubAccess()  # the newest revision, with what this machine is logged in as


def split_revision(hub_id: str) -> tuple[str, str | None]:
    """OWNER/NAME@REVISION → OWNER/NAME and the revision; any other text → itself and None."""
    found = _AT.fullmatch(hub_id)
    return (found[1], found[2]) if found else (hub_id, None)


def hf_download(hub_id: str) -> str:
    """The command that fetches a hub model into the cache."""
    name, revision = split_revision(hub_id)
    return f"hf download {name}" + (f" --revision {revision}" if revision else "")


def local_folder(path: str | os.PathLike[str]) -> Path | None:
    """The folder that a text names, which need not exist; None for a hub id.

    Raises:
        UsageError: it may be either.
    """
    text = os.fspath(path)
    folder = Path(text).expanduser()
    name, _ = split_revision(text)
    owner = name.partition("/")[0]
    own = shipped_folder(path)
    if own is not None:
        return own
    if not _HUB_ID.fullmatch(name) or owner == SHIPPED or folder.is_dir() or Path(owner).is_dir():
        return folder
    close = similar_folders(Path(name))
    if close and cached_folder(text) is None:
        raise UsageError(
            f"{text}: no such folder, but it reads like {' or '.join(close)}, so it is not looked up on the hub. "
            f"Correct it; if a model of the hub is meant, `{hf_download(text)}` first"
        )
    return None


def shipped_folder(path: str | os.PathLike[str]) -> Path | None:
    """The project's own model that `assets/…` means where the current folder has none of that name; else None.

    So the default configuration runs anywhere, while any other relative path starts at the current folder.
    """
    own = project_root() / path
    return own if Path(path).parts[:1] == (SHIPPED,) and not Path(path).is_dir() and own.is_dir() else None


def find_folder(
    path: str | os.PathLike[str],
    files: Sequence[str] = MODEL_FILES,
    needs: str = CONFIG,
    access: HubAccess = AS_LOGGED_IN,
) -> Path:
    """The folder itself, or the hub model's snapshot, fetched where the local cache lacks it.

    Args:
        files: patterns of what is fetched.
        needs: a file the folder must have.
        access: how a hub model is fetched.
    Raises:
        UsageError: it is neither a folder with `needs` nor a hub model that can be reached, or a revision of a folder
            is asked for.
    """
    local = local_folder(path)
    if local is not None and not local.is_dir():
        raise UsageError(no_such_folder(path))
    if local is not None and access.revision is not None:
        raise UsageError(f"{path} is a folder of this machine, which has no revision {access.revision!r}")
    folder = fetch(os.fspath(path), files, access) if local is None else local
    if not (folder / needs).is_file():
        raise UsageError(f"{path} is not a model folder: it has no {needs}")
    return folder


def no_such_folder(path: str | os.PathLike[str]) -> str:
    """Why a folder cannot be read, with the folders that may have been meant."""
    close = similar_folders(Path(path).expanduser())
    meant = f" (is it {' or '.join(close)}?)" if close else ""
    return f"{os.fspath(path)}: no such folder{meant}, and not a hub id (OWNER/NAME) either"


def similar_folders(path: Path) -> list[str]:
    """Existing folders whose path differs from this one by little in each part, the project's own models among them."""
    parts = path.relative_to(path.anchor).parts
    found = [str(folder) for folder in _similar_below(Path(path.anchor), parts)]
    if found or path.is_absolute():
        return found
    shipped = [folder.relative_to(project_root()) for folder in _similar_below(project_root(), parts)]
    return [str(folder) for folder in shipped if folder.parts[:1] == (SHIPPED,)]


def fetch(hub_id: str, files: Sequence[str] = MODEL_FILES, access: HubAccess = AS_LOGGED_IN) -> Path:
    """The local snapshot of a hub model's files.

    Raises:
        UsageError: it cannot be fetched, with the reason, or `access` asks for another revision than the id names.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    name, revision = split_revision(hub_id)
    if revision is not None and access.revision not in (None, revision):
        raise UsageError(f"{hub_id} names another revision than {access.revision!r}")
    access = dataclasses.replace(access, revision=revision or access.revision)
    offline = constants.HF_HUB_OFFLINE
    if not offline and cached_folder(name, access.revision) is None:
        log.info("%s is no folder here: fetching it from the Hugging Face hub", hub_id)
    try:
        return Path(snapshot_download(name, allow_patterns=list(files), **dataclasses.asdict(access)))
    except GatedRepoError:
        fix = f"accept its terms at https://huggingface.co/{name} and log in with `hf auth login`"
        raise UsageError(f"{hub_id} is gated on the hub: {fix}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if offline and isinstance(error, LocalEntryNotFoundError):
            reason = "HF_HUB_OFFLINE forbids to ask the hub, and the cache of this machine lacks it"
        fix = f"where there is no network, `{hf_download(hub_id)}` before, or give a folder"
        raise UsageError(
            f"{hub_id} is neither a folder nor a hub model that can be fetched ({reason}); {fix}"
        ) from None


def cached_folder(hub_id: str, revision: str | None = None) -> Path | None:
    """The snapshot of a hub model in the cache of this machine; None where there is none.

    Args:
        revision: of the model; None: the one that the id names, else the newest that was fetched.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    name, named = split_revision(hub_id)
    found = try_to_load_from_cache(name, CONFIG, cache_dir=constants.HF_HUB_CACHE, revision=revision or named)
    return Path(found).parent if isinstance(found, str) else None


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UsageError: it is none.
    """
    try:
        values = loads(file.read_text(encoding="utf-8"), as_object=_with_special_floats)
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{file} holds no JSON object")
    return values


def _with_special_floats(entries: list[tuple[str, Any]]) -> Any:
    """An object; transformers 5 writes an infinity as one."""
    values = dict(entries)
    return float(values["__float__"]) if values.keys() == {"__float__"} and values["__float__"] in FLOATS else values


def _similar_below(base: Path, parts: Sequence[str]) -> list[Path]:
    found = [base]
    for part in parts:
        found = [folder / name for folder in found for name in _similar_names(part, folder)]
    return found


def _similar_names(part: str, base: Path) -> list[str]:
    if part == "..":
        return [part]
    try:
        folders = [entry.name for entry in base.iterdir() if entry.is_dir()]
    except OSError:
        return []
    return [part] if part in folders else difflib.get_close_matches(part, folders, n=3, cutoff=CLOSE)
