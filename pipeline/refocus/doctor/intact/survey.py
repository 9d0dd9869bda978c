"""Goes through a results folder: sorts its files, checks them in several threads, and compares what rests on what."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.progress import bar
from refocus.core.results_folder import CLIPS, INDEX, NIAH, ROOT, WORLD
from refocus.doctor.intact.checks import Part, check
from refocus.doctor.intact.fit import misfits
from refocus.doctor.intact.kinds import KINDS, How, Kind, kind_of, names
from refocus.doctor.intact.noted import REMAKE, Noted
from refocus.doctor.intact.tally import Damage, Tally
from refocus.frames.index import read_index
from refocus.qa.records import read_clips

AGAIN = "run again; if nothing makes it, no configuration in use asks for it"


@dataclass
class Survey:
    """What was found. kinds: by the name of the kind. left: files of killed runs. gone: what jobs made and is away,
    though nothing that is there rests on it. no_jobs: why nothing is known of what jobs noted; None: it is known.
    """

    results: Path
    kinds: dict[str, Tally] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    no_jobs: str | None = None

    @property
    def damage(self) -> list[Damage]:
        """Of all kinds, in their order."""
        return [damage for tally in self.kinds.values() for damage in tally.damage]

    @property
    def outdated(self) -> list[Damage]:
        """Of all kinds, in their order."""
        return [damage for tally in self.kinds.values() for damage in tally.outdated]

    @property
    def compared(self) -> int:
        """How many files were compared with a digest."""
        return sum(tally.files - len(tally.bare) - len(tally.unknown) for tally in self.kinds.values())

    @property
    def is_right(self) -> bool:
        """Something was compared, and nothing is damaged or outdated."""
        return bool(self.compared) and not self.damage and not self.outdated


def survey(results: Path, workdir: Path, workers: int) -> Survey:
    """Checks everything below a results folder.

    Args:
        workdir: the folder that Snakemake was run in, for what it noted.
        workers: threads; each holds one clip's frames in memory, or one table.
    """
    found = Survey(results)
    files: list[str] = []
    for file in sorted(_files(results)):
        (found.left if _is_draft(Path(file)) else files).append(file)
    noted = Noted(results, workdir, files)
    found.no_jobs = noted.problem
    parts, found.unknown = _parts(results, files)
    with ThreadPoolExecutor(workers) as pool:
        tallies = pool.map(check, parts)
        for part, tally in zip(bar(parts, desc="check", unit="part"), tallies, strict=True):
            _compare(part, tally, noted)
            found.kinds.setdefault(part.kind.name, Tally()).add(tally)
    for tally in found.kinds.values():
        found.unknown += tally.unknown
    _miss(found, noted.missing, "is missing, and {} was made of it")
    _miss(found, _lost_videos(results, files), "is missing, and {} was decoded from it")
    found.gone += noted.gone
    found.kinds = {kind.name: found.kinds[kind.name] for kind in KINDS if kind.name in found.kinds}
    damaged = {damage.file for damage in found.damage}
    for file, what in misfits(results, [file for file in files if file not in damaged]):
        kind = kind_of(Path(file))
        if kind is not None:
            found.kinds[kind.name].outdated.append(Damage(file, what, REMAKE))
    return found


def _is_draft(path: Path) -> bool:
    """Whether a killed run left it: such names begin with a dot. Snakemake notes the time of a folder in a file."""
    return path.name != ".snakemake_timestamp" and any(part.startswith(".") for part in path.parts)


def _files(results: Path) -> Iterator[str]:
    """Paths below a folder, those behind links to folders too, each folder once."""
    seen = {os.path.realpath(results)}
    for folder, inside, names_here in os.walk(results, followlinks=True):
        for name in list(inside):
            real = os.path.realpath(os.path.join(folder, name))
            if real in seen or name == ".snakemake":
                inside.remove(name)
            seen.add(real)
        for name in names_here:
            yield Path(folder, name).relative_to(results).as_posix()


def _parts(results: Path, files: Iterable[str]) -> tuple[list[Part], list[str]]:
    """What is checked as one, and the files of no kind."""
    groups: dict[tuple[str, str], tuple[Kind, list[str]]] = {}
    unknown = []
    for file in files:
        kind = kind_of(Path(file))
        if kind is None:
            unknown.append(file)
            continue
        place = file if kind.depth is None else "/".join(Path(file).parts[: kind.depth])
        groups.setdefault((kind.name, place), (kind, []))[1].append(file)
    wanted = any(kind.how is How.VIDEO for kind, _ in groups.values())
    videos = _videos(results, [place for _, place in groups]) if wanted else {}
    return [Part(results, kind, place, tuple(inside), videos) for (_, place), (kind, inside) in groups.items()], unknown


def _videos(results: Path, files: Sequence[str]) -> dict[str, set[str]]:
    """The digests of videos of the synthetic world, as the indexes of their frames have them."""
    digests: dict[str, set[str]] = {}
    for _, _, path, digest in _decoded(results, files):
        digests.setdefault(path, set()).add(digest)
    roots = [root.removeprefix(ROOT) for root in (f"{WORLD}/", f"{NIAH}/")]
    found = {}
    for file in files:
        for root in roots:
            inside = file.removeprefix(root)
            for path in (inside, inside.partition("/")[2]):
                if inside != file and path in digests:
                    found[file] = digests[path]
    return found


def _decoded(results: Path, files: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """(index, data set, video, its digest) of every stored clip."""
    for file in files:
        where = names(INDEX, Path(file))
        if not where:
            continue
        try:
            paths = {row.clip_id: row.video_path for row in read_clips(CLIPS.at(results, dataset=where["dataset"]))}
            for row in read_index(results / file):
                if row.video_digest and row.clip_id in paths:
                    yield file, where["dataset"], paths[row.clip_id], row.video_digest
        except RefocusError:  # is told where the file itself is checked
            continue


def _lost_videos(results: Path, files: Iterable[str]) -> dict[str, str]:
    """Videos of the synthetic world that are not where those of their data set are, and an index that names each."""
    lost = {}
    for index, name, video, _ in _decoded(results, files):
        folder = WORLD.at(results) / name
        if folder.is_dir() and not (folder / video).is_file():
            lost[(folder / video).relative_to(results).as_posix()] = index
    return lost


def _miss(found: Survey, lost: Mapping[str, str], what: str) -> None:
    """Adds files that are missing, each with one that rests on it, where nothing else has named them yet."""
    told = {damage.file for damage in found.damage}
    for file, reader in lost.items():
        kind = kind_of(Path(file))
        if kind is None:
            found.gone.append(file)
        elif file not in told:
            damage = Damage(file, what.format(reader), AGAIN)
            found.kinds.setdefault(kind.name, Tally()).damage.append(damage)


def _compare(part: Part, found: Tally, noted: Noted) -> None:
    """With what jobs noted of their inputs, which may be the only digest that a file has."""
    damaged = {damage.file for damage in found.damage}
    for file in part.files:
        if file in noted and file not in damaged:
            damage, outdated = noted.compare(file, part.results / file, part.kind.mend)
            found.damage += damage
            found.outdated += outdated
            found.bare.pop(file, None)
            found.partly.pop(file, None)
