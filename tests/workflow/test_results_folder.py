"""The map of the results folder and the workflow agree, and nobody else spells its paths."""

import ast
import re
from pathlib import Path

import pytest
from refocus.core import results_folder
from refocus.core.results_folder import ResultsFile

MAP = {name: file for name, file in vars(results_folder).items() if isinstance(file, ResultsFile)}
FOLDERS = {file.split("/")[1] for file in MAP.values()} - {"assets"}  # also the folder of the shipped models


def matches(pattern: ResultsFile, path: str) -> bool:
    parts = re.split(r"\{\w+\}", pattern.removeprefix(results_folder.ROOT))
    return re.fullmatch("[^/]+".join(map(re.escape, parts)), path) is not None


@pytest.mark.slow
def test_every_output_is_on_the_map(finished):
    outputs = [line.removeprefix("results/") for line in (finished / "outputs.txt").read_text().split()]
    assert len(outputs) > 50
    strange = [path for path in outputs if not any(matches(pattern, path) for pattern in MAP.values())]
    assert not [path for path in strange if not path.startswith("world/")]  # its files are named as the real sets' are


def test_logs_and_benchmarks_lie_in_their_folders(repository):
    for file in (repository / "workflow/rules").glob("*.smk"):
        for kind, text in re.findall(r'^\s+(log|benchmark):\s+f?"([^"]+)"', file.read_text(), flags=re.MULTILINE):
            folder = results_folder.LOGS if kind == "log" else results_folder.BENCHMARKS
            assert text.startswith(f"{folder}/"), f"{file.name}: {text}"


def test_rules_name_their_files_by_the_map(repository):
    """Only logs and benchmarks, which nobody reads by name, are spelled in the rules."""
    for file in (repository / "workflow/rules").glob("*.smk"):
        code = re.sub(r'^""".*?^"""', "", file.read_text(), count=1, flags=re.DOTALL | re.MULTILINE)
        found = re.findall(r'"<results>/[^"]+"', code)
        assert not [text for text in found if not text.startswith(('"<results>/logs', '"<results>/benchmarks'))], file


@pytest.mark.parametrize("file", sorted(Path(results_folder.__file__).parents[1].rglob("*.py")), ids=lambda p: p.stem)
def test_no_module_joins_the_folders_names(file):
    """`results / "tables"`, in any module but the map, is a second place that knows."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    joined = {
        node.right.value
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant)
    }
    assert not joined & FOLDERS


def test_a_pattern_is_filled_read_and_renamed():
    index = results_folder.INDEX.fill(dataset="nextqa")
    assert index == "<results>/frames/nextqa/{shard}.index.parquet"
    assert index.at("out", shard="000001") == Path("out/frames/nextqa/000001.index.parquet")
    assert index.inside("elsewhere", shard="000001") == Path("elsewhere/000001.index.parquet")
