"""The order of the rooms: each imports only those before it, none in a circle, and no light one ever loads torch."""

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from refocus.cli.main import COMMANDS
from refocus.config.code_digest import imports

ROOMS = (
    "core",
    "config",
    "video",
    "qa",
    "frames",
    "lmm",
    "reward",
    "filter",
    "policy",
    "select",
    "serve",
    "train",
    "evaluate",
    "report",
    "plan",
    "doctor",
    "world",
    "cli",
    "__main__",
)
LIGHT = (
    "refocus",
    "refocus.cli.main",
    *COMMANDS.values(),
    "refocus.reward.windows",
    "refocus.config.root",
    "refocus.doctor.diagnose",
    "refocus.video.decode",
    "refocus.frames",
    "refocus.plan.stage_costs",
)
PACKAGE = Path(__file__).resolve().parents[2] / "pipeline" / "refocus"


def modules() -> list[str]:
    files = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in files)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_module_has_a_room():
    assert {room(name) for name in modules()} - {""} <= set(ROOMS)


@pytest.mark.parametrize("module", modules())
def test_a_room_imports_only_rooms_before_it(module):
    place = ROOMS.index(room(module)) if room(module) else -1
    later = [name for name in imports(module) if room(name) and ROOMS.index(room(name)) > place]
    assert not later, f"{module} imports {later}"


@pytest.mark.parametrize("name", ROOMS)
def test_no_room_imports_in_a_circle(name):
    """Imports inside functions and for type checkers count: whoever reads one of the files has to read the other.

    A package's `__init__` is left out, because Python itself loads it before any of its modules.
    """
    inside = [module for module in modules() if room(module) == name and not is_package(module)]
    order = graphlib.TopologicalSorter({module: set(imports(module)) & set(inside) for module in inside})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def is_package(module: str) -> bool:
    return PACKAGE.parent.joinpath(*module.split(".")).is_dir()


def test_nothing_is_handed_on_without_its_name():
    """`f(*rest)` hides which argument is which, but where a function of ours takes any number of them."""
    trees = {name: ast.parse(source(name)) for name in modules()}
    takes: dict[str, bool] = {}  # whether some definition of that name takes any number of arguments
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                made_by = [inner for inner in node.body if getattr(inner, "name", "") == "__init__"]
                function = node if isinstance(node, ast.FunctionDef) else next(iter(made_by), None)
                takes[node.name] = takes.get(node.name, False) or bool(function and function.args.vararg)
    splats = [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(isinstance(argument, ast.Starred) for argument in node.args)
        if takes.get(ast.unparse(node.func).removeprefix("self.")) is False
    ]
    assert not splats


def test_no_two_classes_have_one_name():
    names = [node.name for name in modules() for node in ast.parse(source(name)).body if isinstance(node, ast.ClassDef)]
    assert not [name for name, count in Counter(names).items() if count > 1]


@pytest.mark.parametrize("module", modules())
def test_only_the_command_line_knows_argparse(module):
    assert room(module) == "cli" or not re.search(r"\bargparse\b", source(module))


def source(module: str) -> str:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


def test_light_modules_never_load_torch():
    """All in one process: none of them, nor anything they import, loads torch or transformers."""
    code = f"import importlib, sys\nfor name in {LIGHT!r}:\n    importlib.import_module(name)\n"
    code += "sys.exit(', '.join({'torch', 'transformers'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr


def test_the_package_itself_loads_nothing():
    code = "import sys, refocus; sys.exit(len([n for n in sys.modules if n.startswith('refocus.')]))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent).returncode == 0
