"""What a survey found, as text and as plain values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from refocus.doctor.intact.kinds import KINDS
from refocus.doctor.intact.survey import Survey
from refocus.doctor.intact.tally import Damage
from refocus.frames.store_survey import size

LEFT = "files of runs under way or killed; decode goes on from its own, others can be deleted once nothing runs"
SHOWN = 20  # files in a list without --all


def lines(found: Survey, everything: bool = False) -> Iterator[str]:
    """What is wrong first, then a row per kind, then what could not be compared; the last line says how it ends."""
    limit = None if everything else SHOWN
    yield from _listed("DAMAGED", found.damage, None)
    yield from _listed("OUTDATED", found.outdated, limit)
    how = {kind.name: kind.how.value for kind in KINDS}
    width = max([len(name) for name in found.kinds] or [0])
    yield f"{'':<{width}}  {'files':>8}  {'size':>9}  {'damaged':>7}  {'partly':>7}  {'not':>7}  compared with"
    for name, one in found.kinds.items():
        yield (
            f"{name:<{width}}  {one.files:>8,}  {size(one.bytes):>9}  {len(one.damage) or '':>7}  "
            f"{len(one.partly) or '':>7}  {len(one.bare) or '':>7}  {how[name]}"
        )
    yield ""
    if found.no_jobs:
        yield f"what jobs noted of their inputs was not compared, or not all: {found.no_jobs}"
    yield from _excepted("compared in part", {name: one.partly for name, one in found.kinds.items()}, everything)
    yield from _excepted("not compared", {name: one.bare for name, one in found.kinds.items()}, everything)
    yield from _files("files that no stage writes", found.unknown, everything)
    yield from _files("files that jobs made and that are gone, with nothing made of them here", found.gone, everything)
    yield from _files(LEFT, found.left, everything)
    yield _verdict(found)


def plain(found: Survey) -> dict[str, Any]:
    """As plain values, ready for JSON."""
    kinds = {
        name: {
            "files": one.files,
            "bytes": one.bytes,
            "damaged": len(one.damage),
            "partly": one.partly,
            "not": one.bare,
        }
        for name, one in found.kinds.items()
    }
    return {
        "results": str(found.results),
        "right": found.is_right,
        "compared": found.compared,
        "damaged": [vars(damage) for damage in found.damage],
        "outdated": [vars(damage) for damage in found.outdated],
        "kinds": kinds,
        "unknown": found.unknown,
        "left": found.left,
        "gone": found.gone,
        "no_jobs": found.no_jobs,
    }


def _verdict(found: Survey) -> str:
    files = sum(one.files for one in found.kinds.values())
    total = size(sum(one.bytes for one in found.kinds.values()))
    if not found.compared:
        return f"{found.results}: nothing in it carries a digest, so nothing was checked"
    if found.is_right:
        return f"{found.results}: {found.compared:,} of {files:,} files ({total}) were compared, and all are right"
    return (
        f"{found.results}: {len({damage.file for damage in found.damage}):,} damaged and "
        f"{len({damage.file for damage in found.outdated}):,} outdated of {files:,} files ({total})"
    )


def _listed(word: str, damage: list[Damage], limit: int | None) -> Iterator[str]:
    for one in damage[:limit]:
        yield f"{word}: {one.file}: {one.what}"
        yield f"{'':<{len(word)}}  {one.mend}"
    if limit is not None and len(damage) > limit:
        yield f"{word}: {len(damage) - limit:,} more (--all lists them)"
    if damage:
        yield ""


def _excepted(what: str, kinds: Mapping[str, Mapping[str, str]], everything: bool) -> Iterator[str]:
    """Files that were not compared, or not all of them, by kind and reason."""
    for name, files in kinds.items():
        for why, count in Counter(files.values()).items():
            yield f"{what}: {name}, {count:,} file{'s' if count > 1 else ''}: {why}"
            if everything:
                yield from (f"  {file}" for file, reason in files.items() if reason == why)


def _files(what: str, files: list[str], everything: bool) -> Iterator[str]:
    """Files by name, or where they are many by the folder they lie in."""
    if not files:
        return
    yield f"{what}: {len(files):,}"
    if everything or len(files) <= SHOWN:
        yield from (f"  {file}" for file in files)
        return
    for folder, count in Counter(file.partition("/")[0] for file in files).most_common(SHOWN):
        yield f"  {folder}: {count:,} (--all lists them)"
