"""How each kind of file is checked, by the readers that the stages use. Each check fills a `Tally`."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from refocus.core import parquet
from refocus.core.checksums import DESCRIPTIONS, PROVENANCE, SUMS, differing, noted
from refocus.core.errors import RefocusError
from refocus.core.files import file_digest
from refocus.core.results_folder import ASSETS_MANIFEST
from refocus.doctor.intact.kinds import How, Kind
from refocus.doctor.intact.tally import Damage, Tally
from refocus.doctor.intact.training import checkpoint_damage, in_part, log_damage, vouched_for, without_digest
from refocus.frames.check_shard import catalogue_damage, index_damage, shard_damage, without_checksums
from refocus.policy.provenance import read_provenance
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate

PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # pillow reads no further than its name
ADVICE = "; if a stage wrote it, "  # of `refocus.core.parquet`; the kind's own is better
EARLIER = "written by an earlier version or another program"


@dataclass(frozen=True)
class Part:
    """What is checked as one: a file, or the files of a folder; paths are relative to the results folder."""

    results: Path
    kind: Kind
    place: str
    files: tuple[str, ...]
    videos: dict[str, set[str]]  # digests of videos in the results folder, by path

    @property
    def path(self) -> Path:
        """Of the file or folder."""
        return self.results / self.place

    def name(self, path: Path) -> str:
        """A path below the results folder."""
        return path.relative_to(self.results).as_posix()

    def damage(self, what: str, path: Path | None = None) -> Damage:
        """That this part, or a file of it, is not right."""
        return Damage(self.place if path is None else self.name(path), what, self.kind.mend)


def check(part: Part) -> Tally:
    """Everything of one part; what cannot be read at all is damaged too."""
    found = Tally(len(part.files))
    try:
        found.bytes = sum((part.results / file).stat().st_size for file in part.files)
        CHECKS[part.kind.how](part, found)
    except RefocusError as error:
        what, _, _ = str(error).removeprefix(f"{part.path}: ").partition(ADVICE)
        found.damage.append(part.damage(what))
    except Exception as error:  # whatever a library says of bytes that are not what it wrote
        found.damage.append(part.damage(f"cannot be read ({type(error).__name__}: {error})"))
    return found


def _table(part: Part, found: Tally) -> None:
    if not parquet.check_bytes(part.path):
        found.partly[part.place] = f"{EARLIER}, its pages alone"


def _index(part: Part, found: Tally) -> None:
    _table(part, found)
    found.damage += [part.damage(what) for what in index_damage(part.path)]


def _shard(part: Part, found: Tally) -> None:
    found.damage += [part.damage(what) for what in shard_damage(part.path)]
    if without_checksums(part.path):
        found.partly[part.place] = f"clips were {EARLIER}"


def _sources(part: Part, found: Tally) -> None:
    tar = part.path.with_name(part.path.name.replace(".sources.json", ".tar"))
    found.damage += [part.damage(what) for what in catalogue_damage(part.path, tar)]


def _model(part: Part, found: Tally) -> None:
    folder = part.path
    made = read_provenance(folder)
    if not (folder / SUMS).is_file():
        if made is not None and made.sums:
            found.damage.append(part.damage(f"is missing, and {PROVENANCE} describes it", folder / SUMS))
        found.damage += [part.damage("is not what was written", path) for path in _by_manifest(part, found)]
        return
    found.damage += [part.damage("is not what was written, or its digest is not", path) for path in differing(folder)]
    if made is not None and made.sums not in ("", file_digest(folder / SUMS)):
        found.damage.append(part.damage(f"is not what {PROVENANCE} describes", folder / SUMS))
    listed = {*noted(folder), SUMS}
    for file in part.files:
        name = Path(file).name
        if name in DESCRIPTIONS:
            found.bare[file] = "describes the others"
        elif name not in listed:
            found.unknown.append(file)


def _by_manifest(part: Part, found: Tally) -> list[Path]:
    """The files of a tiny model that are not what its manifest says."""
    manifest = ASSETS_MANIFEST.at(part.results)
    digests = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else {}
    wrong = []
    for file in part.files:
        path = part.results / file
        entry = digests.get(path.relative_to(manifest.parent).as_posix()) if part.kind.depth == 2 else None
        if entry is None:
            found.bare[file] = f"its folder has no {SUMS}"
        elif file_digest(path) != entry["sha256"]:
            wrong.append(path)
    return wrong


def _video(part: Part, found: Tally) -> None:
    digests = part.videos.get(part.place)
    if digests is None:
        found.bare[part.place] = "no frames of it are stored"
    elif source_digest(locate(part.path)) not in digests:
        found.damage.append(part.damage("is not the file that its frames were decoded from"))


def _picture(part: Part, found: Tally) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(part.path) as picture:
            picture.verify()
    if not part.path.read_bytes().endswith(PNG_END):
        found.damage.append(part.damage("does not end as it was written"))


def _checkpoints(part: Part, found: Tally) -> None:
    found.damage += [part.damage(what, path) for path, what in checkpoint_damage(part.path)]
    found.partly |= {part.name(path): why for path, why in in_part(part.path)}
    found.bare |= {part.name(path): why for path, why in without_digest(part.path) if path.is_file()}
    known = {part.name(path) for path in vouched_for(part.path)} | found.bare.keys()
    found.unknown += [file for file in part.files if file not in known]


def _log(part: Part, found: Tally) -> None:
    what = log_damage(part.results, part.path)
    if what is None:
        found.bare[part.place] = "no checkpoint of its run is kept"
    elif what:
        found.damage.append(part.damage(what))


def _nothing(part: Part, found: Tally) -> None:
    found.bare |= dict.fromkeys(part.files, "carries no digest")


CHECKS: dict[How, Callable[[Part, Tally], None]] = {
    How.TABLE: _table,
    How.INDEX: _index,
    How.SHARD: _shard,
    How.SOURCES: _sources,
    How.MODEL: _model,
    How.CHECKPOINTS: _checkpoints,
    How.LOG: _log,
    How.VIDEO: _video,
    How.PICTURE: _picture,
    How.NOTHING: _nothing,
}
