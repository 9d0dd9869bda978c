"""A folder of packages as `pip install` of some requirements would have made it, of links to what is installed here."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def link_packages(requirements: Iterable[str], folder: Path) -> Path:
    """Links what `requirements` need, directly or not, into `folder`: for PYTHONPATH, with `python -S`.

    Raises:
        PackageNotFoundError: one of them is not installed here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in closure(requirements):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            _link(Path(str(distribution.locate_file(""))), folder, file.parts)
    return folder


def _link(source: Path, folder: Path, parts: tuple[str, ...]) -> None:
    """Links a file's top folder, or below it where several distributions share one (a namespace package)."""
    top = source / parts[0]
    if parts[0] in ("..", "__pycache__") or (folder / parts[0]).is_symlink():
        return
    if len(parts) == 1 or top.suffix == ".dist-info" or (top / "__init__.py").exists():
        (folder / parts[0]).symlink_to(top)
    else:
        (folder / parts[0]).mkdir(exist_ok=True)
        _link(top, folder / parts[0], parts[1:])


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of the distributions that `requirements` bring along here; markers decide, extras are followed."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *requirement.extras):
            key = (canonicalize_name(requirement.name), wanted)
            if key not in found:
                found.add(key)
                needs = importlib.metadata.requires(requirement.name) or []
                waiting += [(Requirement(text), wanted) for text in needs]
    return {name for name, _ in found}
