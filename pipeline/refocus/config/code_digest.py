"""What a stage's code is, without its comments: a digest that changes when the code's meaning may have."""

import ast
import functools
from importlib.util import find_spec
from pathlib import Path

from refocus.core.errors import UsageError
from refocus.core.files import digest
from refocus.core.project import PACKAGE


def sources(*modules: str) -> str:
    """12 hex digits over all of `pipeline` that `modules` import, directly or not, comments and docstrings aside.

    Args:
        modules: dotted names such as `refocus.cli.filter`; also of adapters from elsewhere.
    Raises:
        UsageError: there is no such module.
    """
    return digest({name: _meaning(name) for name in closure(*modules)})


def closure(*modules: str) -> list[str]:
    """`modules` and all modules of the package they import, imports inside functions included, sorted."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports(name)
    return sorted(found)


@functools.cache
def imports(module: str) -> tuple[str, ...]:
    """The modules of the package that `module` imports, parent packages included."""
    named: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            named |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    inside = {name for name in named if name.split(".")[0] == PACKAGE.name and _file(name)}
    parents = {name.rsplit(".", cut)[0] for name in inside for cut in range(1, name.count(".") + 1)}
    return tuple(sorted(inside | parents))


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    depth = node.level - (1 if (_file(module) or Path()).name == "__init__.py" else 0)
    package = module.rsplit(".", depth)[0] if depth else module
    return f"{package}.{node.module}" if node.module else package


def _file(module: str) -> Path | None:
    path = PACKAGE.parent.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    if module.split(".")[0] == PACKAGE.name:
        return None
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # its package is not there
        return None
    return Path(found.origin) if found and found.origin and found.origin.endswith(".py") else None


@functools.cache
def _tree(module: str) -> ast.Module:
    file = _file(module)
    if file is None:
        raise UsageError(f"there is no module '{module}'; install it, or put its folder on PYTHONPATH")
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def _meaning(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
