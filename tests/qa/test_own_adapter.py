"""Adapters from outside the package: by import path, by entry point, and what happens when they are wrong."""

import sys
from importlib.metadata import EntryPoint

import pytest
from refocus.config import formats
from refocus.config.code_digest import sources
from refocus.config.overlay import check
from refocus.config.root import DatasetSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.ingest import SourceFiles, read_source

MODULE = '''
from refocus.qa.raw_question import RawQuestion


def plain(paths, options):
    """One question per line, with lists where tuples are usual and a path that is no list."""
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines()):
            yield RawQuestion(f"{path.name} row {number}", line, "a.mp4", line, ["yes", "no"], 0, "train")


def fails(paths, options):
    yield from plain(paths, options)
    raise KeyError("colour")


def dicts(paths, options):
    yield {"question": "what?"}


def wrong_types(paths, options):
    yield RawQuestion("row 0", 7, ("a.mp4",), "what?", ("yes", "no"), 0, "train")
    yield RawQuestion("row 1", "1", ("a.mp4",), "what?", ("yes", 2), 0, "train")
    yield RawQuestion("row 2", "2", ("a.mp4",), "what?", ("yes", "no"), "A", "train")
    yield RawQuestion("row 3", "3", ("a.mp4",), "what?", ("yes", "no"), 0, "train", start_s="1")
    yield RawQuestion("row 4", "4", ("a.mp4",), "what?", ("yes", "no"), 0, "train", end_s=float("nan"))


number = 3
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "own_adapter.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_adapter"
    sys.modules.pop("own_adapter", None)


def read(tmp_path, format, **options):
    path = tmp_path / "lines.txt"
    path.write_text("is it?\nwas it?\n")
    return read_source(SourceFiles("mine", format, (path,), tmp_path, options=options or None))


def test_a_function_named_by_its_import_path_is_an_adapter(tmp_path, module):
    found = read(tmp_path, f"{module}:plain")
    assert [(q.question, q.options, q.video_path) for q in found.questions] == [
        ("is it?", ("yes", "no"), "a.mp4"),
        ("was it?", ("yes", "no"), "a.mp4"),
    ]
    with pytest.raises(UsageError, match="splitt"):
        read(tmp_path, f"{module}:plain", splitt="x")


def test_an_installed_package_brings_a_format_by_name(tmp_path, module, monkeypatch):
    entry = EntryPoint("lines", f"{module}:plain", formats.GROUP)
    monkeypatch.setattr(formats, "entry_points", lambda group: [entry] if group == formats.GROUP else [])
    assert len(read(tmp_path, "lines").questions) == 2
    assert DatasetSettings(format="lines").format == "lines"
    assert formats.adapter_module("lines") == module
    with pytest.raises(UsageError, match="lines"):
        read(tmp_path, "line")


def test_an_adapter_that_fails_says_behind_which_row(tmp_path, module):
    with pytest.raises(RefocusError, match=r"own_adapter:fails failed behind row 2 \(KeyError: 'colour'\)"):
        read(tmp_path, f"{module}:fails")
    with pytest.raises(RefocusError, match="neither a RawQuestion nor a Reject"):
        read(tmp_path, f"{module}:dicts")


def test_values_of_the_wrong_type_are_rejects_that_name_the_field(tmp_path, module):
    found = read(tmp_path, f"{module}:wrong_types")
    assert not found.questions
    assert [(r.source_id, r.reason, r.detail.split(": ")[1]) for r in found.rejects] == [
        ("7", "bad_field", "source_id"),
        ("1", "bad_field", "options"),
        ("2", "bad_field", "answer_index"),
        ("3", "bad_times", "start_s"),
        ("4", "bad_times", "end_s"),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.at_all:read", "no module 'nowhere'; install it, or put its folder on PYTHONPATH"),
        ("own_adapter.py:plain", "write module:attribute, without .py"),
        ("own_adapter:nobody", "nobody"),
        ("own_adapter:number", "neither a function"),
        ("videomne", "videomme"),
        ("own_adapter:", "unknown format"),
    ],
)
def test_what_is_no_adapter_is_named(tmp_path, module, name, said):
    with pytest.raises(UsageError, match=said):
        read(tmp_path, name)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("form x import y", r"broken cannot be imported \(SyntaxError: .*line 1\)\); --debug shows the trace"),
        ("from refocus.qa.raw_question import RawQuestian", r"broken cannot be imported \(ImportError: .*RawQuestian"),
        ("open('nowhere.json')", r"broken cannot be imported \(FileNotFoundError: "),
        ("import nowhere", "no module 'nowhere'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_in_one_line(tmp_path, monkeypatch, line, said):
    (tmp_path / "broken.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=said):
        read(tmp_path, "broken:adapter")


def test_the_configuration_takes_import_paths_and_refuses_unknown_names():
    """Whether the module is there is seen when it is used: a configuration may be read elsewhere."""
    base = {"use": {}, "datasets": {"mine": {"format": "nowhere.at_all:read"}}}
    assert check(base).datasets["mine"].format == "nowhere.at_all:read"
    base["datasets"]["mine"]["format"] = "videomne"
    with pytest.raises(UsageError, match=r"datasets\.mine\.format: unknown format 'videomne'; known: .*videomme"):
        check(base)


def test_a_changed_adapter_is_another_code(tmp_path, module):
    """So that Snakemake ingests again; comments do not count."""
    before = sources("own_adapter")
    assert before == sources("own_adapter")
    from refocus.config import code_digest

    def changed(text):
        (tmp_path / "own_adapter.py").write_text(text)
        for cached in (code_digest._tree, code_digest._meaning, code_digest.imports):
            cached.cache_clear()
        return sources("own_adapter")

    assert changed(MODULE + "# a comment\n") == before
    assert changed(MODULE + "more = 1\n") != before
    with pytest.raises(UsageError, match="no module 'nowhere'"):
        sources("nowhere")
