"""Policies on the Hugging Face hub: what of a folder is uploaded, and the upload, in one commit."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.core.checksums import CARD, DESCRIPTIONS, SUMS, noted
from refocus.core.errors import RefocusError, UsageError
from refocus.policy.model_card import REPOSITORY, with_results
from refocus.policy.provenance import Provenance, described

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TABLES = "tables"  # where tables go, beside the card
TABLE_FILES = ("*.md", "*.csv")
MAIN_TABLE = "table1.md"  # shown in the card itself


@dataclasses.dataclass(frozen=True)
class Upload:
    """What goes to the hub: path there -> a file of this machine, or the content itself (the card)."""

    repo_id: str
    files: Mapping[str, Path | bytes]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: len(file) if isinstance(file, bytes) else file.stat().st_size for name, file in self.files.items()
        }

    def push(self, private: bool | None = None, message: str | None = None) -> str:
        """Makes the repository where it is not there yet, and uploads all in one commit. Returns the commit's address.

        Raises:
            RefocusError: the hub cannot be reached, or refuses.
        """
        from huggingface_hub import CommitOperationAdd

        operations = [CommitOperationAdd(name, file) for name, file in self.files.items()]
        with hub(self.repo_id) as api:
            repo_id = api.create_repo(self.repo_id, private=private, exist_ok=True).repo_id
            commit = api.create_commit(repo_id, operations, commit_message=message or "Policy trained by refocus")
        return str(commit.commit_url)


def prepare(folder: Path, repo_id: str, tables: Path | None = None, licence: str | None = None) -> Upload:
    """What of a training run's policy folder goes to the hub: the files training wrote, and a licence's text if any.

    The card names the repository; what its author changed in it stays.

    Args:
        tables: a folder of tables, such as `<results>/tables`; its Markdown and CSV files go along.
        licence: of the weights, as the hub writes it (`apache-2.0`); None: what the card says.
    Raises:
        UsageError, RefocusError: the folder is not complete or not what training wrote (`described`).
        UsageError: there are no tables, or repo_id is none.
    """
    check_id(repo_id)
    made = described(folder)
    found = [] if tables is None else _tables(tables)
    files: dict[str, Path | bytes] = {CARD: _card(folder, repo_id, made, found, licence).encode()}
    beside = [name for name in DESCRIPTIONS if name != CARD and (folder / name).is_file()]
    files |= {name: folder / name for name in (*noted(folder), SUMS, *beside)}
    files |= {f"{TABLES}/{table.name}": table for table in found}
    return Upload(repo_id, files)


def check_id(repo_id: str) -> None:
    """Raises:
    UsageError: it is no OWNER/NAME of the hub.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # re-exported by its documentation

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise UsageError(f"{repo_id!r} is no OWNER/NAME of the hub: {str(error).splitlines()[0]}") from None
    if "/" not in repo_id:
        raise UsageError(f"{repo_id!r} is no OWNER/NAME of the hub: say whose repository it is")


@contextlib.contextmanager
def hub(repo_id: str, token: str | bool | None = None) -> Iterator["HfApi"]:
    """The hub's API; what goes wrong with it inside becomes one line.

    Raises:
        RefocusError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    try:
        yield HfApi(token=token)
    except Exception as error:  # its transport's errors change their library with huggingface_hub's versions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        fix = "is HF_TOKEN set, or `hf auth login` done, with a token that may write there?"
        raise RefocusError(f"{repo_id} could not be uploaded ({reason}); {fix}") from error


def _card(folder: Path, repo_id: str, made: Provenance, tables: list[Path], licence: str | None) -> str:
    from huggingface_hub import ModelCard

    try:
        card = ModelCard((folder / CARD).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{folder / CARD}: its metadata cannot be read ({error})") from None
    if licence is not None:
        card.data["license"] = licence
    text = str(card.content).replace(REPOSITORY, repo_id)
    if not tables:
        return text
    shown = next((table.read_text(encoding="utf-8") for table in tables if table.name == MAIN_TABLE), None)
    return with_results(text, made, [f"{TABLES}/{table.name}" for table in tables], shown)


def _tables(folder: Path) -> list[Path]:
    found = sorted(file for pattern in TABLE_FILES for file in folder.glob(pattern) if file.is_file())
    if not found:
        raise UsageError(f"--tables {folder}: there are no tables there (*.md, *.csv), such as `refocus tables` writes")
    return found
