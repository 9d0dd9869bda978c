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
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


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
