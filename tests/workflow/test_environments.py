"""The conda environments hold what the commands that run in them import. Nothing is solved or installed here."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from refocus.cli.main import COMMANDS
from refocus.config import code_digest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = {path.stem: path for path in (ROOT / "workflow" / "envs").glob("*.yaml")}
DRIVER = ("run", "init", "config", "gc", "doctor", "plan", "summary")
CONDA_NAMES = {
    "matplotlib-base": "matplotlib",
    "pytorch-gpu": "torch",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "snakemake-minimal": "snakemake",
}
PYPI_NAMES = {"matplotlib-base": "matplotlib", "pytorch-gpu": "torch", "snakemake-minimal": "snakemake"}
NOT_ON_PYPI = {"python", "cuda-version"}
BROUGHT_ALONG = {"transformers": {"huggingface_hub", "tokenizers"}}
ON_DEMAND = {
    "wandb",
    "deepspeed",
    "decord",
    "mamba_ssm",
    "causal_conv1d",
}  # where a setting asks for it


def in_environment(path: Path) -> set[str]:
    """Import names of an environment's packages."""
    names = {CONDA_NAMES.get(name, name.replace("-", "_")) for name in packages(path)}
    return names.union(*(BROUGHT_ALONG.get(name, set()) for name in names))


def packages(path: Path) -> set[str]:
    """An environment's packages by their conda names."""
    lines = [line.partition("::")[2] or line for line in yaml.safe_load(path.read_text())["dependencies"]]
    return {re.split("[=<>]", line)[0] for line in lines}


def imported_by(command: str) -> set[str]:
    """What a command imports: its own imports wherever they stand, and of the modules it reaches those at their top."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [(f"refocus.cli.{command}", True)]
    while waiting:
        module, everywhere = waiting.pop()
        if not module or module in seen or not code_digest._file(module):
            continue
        seen.add(module)
        for name in statements(code_digest._tree(module), everywhere):
            top = name.partition(".")[0]
            if top == "refocus":
                waiting += [(name, False), (name.rpartition(".")[0] or name, False)]
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


def statements(node: ast.AST, everywhere: bool) -> set[str]:
    """Dotted names of import statements below a node; inside functions only where `everywhere`."""
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            names |= {alias.name for alias in child.names}
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            names |= {child.module} | {f"{child.module}.{alias.name}" for alias in child.names}
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not everywhere:
            continue
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            names |= statements(child, everywhere)
    return names


def stages() -> list[tuple[str, str]]:
    """Every rule's environment and the command it runs."""
    pairs = set()
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"(?m)^ *rule ", file.read_text())[1:]:
            environment = re.search(r"envs/(\w+)\.yaml", rule)
            command = re.search(r"(?:-m refocus|start_with}) ([\w-]+)", rule)
            if environment and command:
                pairs.add((environment[1], COMMANDS[command[1]].rpartition(".")[2]))
    return sorted(pairs)


def test_every_stage_has_an_environment():
    assert {name for name, _ in stages()} == set(ENVIRONMENTS)
    assert len(stages()) >= 11


@pytest.mark.parametrize(("environment", "command"), stages())
def test_a_stage_finds_what_it_imports(environment, command):
    assert imported_by(command) - ON_DEMAND <= in_environment(ENVIRONMENTS[environment])


@pytest.mark.parametrize("command", DRIVER)
def test_the_drivers_environment_is_enough_for_its_commands(command):
    assert imported_by(command) <= in_environment(ROOT / "environment.yml")


@pytest.mark.slow
@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "environment"])
def test_with_the_packages_of_its_file_alone_everything_is_imported(environment):
    """What its stages import, at the top of their modules or when they run, where nothing else is installed."""
    file = ENVIRONMENTS.get(environment, ROOT / "environment.yml")
    commands = DRIVER if file.name == "environment.yml" else [name for where, name in stages() if where == environment]
    modules: dict[str, None] = {}
    for command in commands:
        modules[f"refocus.cli.{command}"] = None
        named = statements(code_digest._tree(f"refocus.cli.{command}"), everywhere=True)
        ours = (name for name in sorted(named) if name.startswith("refocus.") and code_digest._file(name))
        modules |= dict.fromkeys(ours)
    allowed = [PYPI_NAMES.get(name, name) for name in packages(file) - NOT_ON_PYPI]
    words = [sys.executable, "-m", "tests.support.only_these_packages", *allowed, "--", *modules]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-1500:]


def test_every_rule_that_may_ask_for_a_gpu_goes_to_the_gpu_partition():
    """profiles/slurm: a rule that is forgotten there would wait for a GPU where there is none."""
    text = "".join(file.read_text() for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
    rules = {re.match(r"\w+", part)[0]: part for part in re.split(r"(?m)^rule ", text)[1:]}
    asking = {name for name, body in rules.items() if re.search(r"\bgpu=", body)}
    inheriting = set(re.findall(r"use rule (?:" + "|".join(asking) + r") as (\w+)", text))
    profile = (ROOT / "profiles" / "slurm" / "profile.yaml").read_text()
    assert len(asking) >= 8 and inheriting
    assert {name for name in asking | inheriting if not re.search(rf"\b{name}\b", profile)} == set()
