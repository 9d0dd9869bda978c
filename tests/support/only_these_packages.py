"""`python -m tests.support.only_these_packages PACKAGE… -- MODULE…` imports modules as with few packages installed.

Packages are named as on PyPI; with them come those that they require. What other packages bring cannot be imported,
though it is installed here.
"""

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

OURS = "refocus"


class Blocked:
    """A finder in front of all others that knows nothing of what is not in the environment."""

    def __init__(self, allowed: set[str]) -> None:
        self.owners = importlib.metadata.packages_distributions()
        self.allowed = allowed

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Raises ModuleNotFoundError for what no allowed package brings."""
        top = name.partition(".")[0]
        owners = {_plain(owner) for owner in self.owners.get(top, [])}
        if owners and top != OURS and not owners & self.allowed:
            raise ModuleNotFoundError(f"No module named {name!r} in this environment", name=name)
        return None


def closure(packages: Iterable[str]) -> set[str]:
    """The packages and what they require, extras aside, as far as it is installed here."""
    found: set[str] = set()
    waiting = [_plain(name) for name in packages]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting += [_plain(re.split(r"[^\w.-]", line)[0]) for line in required if "extra ==" not in line]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    split = sys.argv.index("--")
    sys.meta_path.insert(0, Blocked(closure(sys.argv[1:split])))
    for module in sys.argv[split + 1 :]:
        importlib.import_module(module)
