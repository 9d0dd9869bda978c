"""Digests of code: they follow imports, and see meaning rather than comments."""

import pytest

from pipeline.config import sources as module
from pipeline.config.sources import closure, imports, sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules in which `a` imports `b` inside a function."""
    folder = tmp_path / "pipeline"
    folder.mkdir()
    write(folder, "__init__.py", "")
    write(folder, "a.py", "def f():\n    from pipeline.b import g\n    return g()\n")
    write(folder, "b.py", '"""What b is for."""\n\ndef g():\n    """Says one."""\n    return 1\n')
    write(folder, "c.py", "x = 1\n")
    monkeypatch.setattr(module, "PACKAGE", folder)
    forget()
    yield folder
    forget()


def write(folder, name, text):
    (folder / name).write_text(text)
    forget()


def forget():
    for cached in (module.imports, module._tree, module._meaning):
        cached.cache_clear()


def test_imports_inside_functions_count(package):
    assert closure("pipeline.a") == ["pipeline", "pipeline.a", "pipeline.b"]


def test_a_comment_or_docstring_changes_nothing(package):
    before = sources("pipeline.a")
    write(package, "b.py", '"""Another text."""\n\n\ndef g():\n    # one\n    return 1\n')
    assert sources("pipeline.a") == before


def test_a_changed_import_changes_the_digest(package):
    before = sources("pipeline.a")
    write(package, "b.py", "def g():\n    return 2\n")
    assert sources("pipeline.a") != before


def test_a_module_outside_the_closure_changes_nothing(package):
    before = sources("pipeline.a")
    write(package, "c.py", "x = 2\n")
    assert sources("pipeline.a") == before


def test_relative_imports_are_resolved(package):
    write(package, "d.py", "from . import b\nfrom .c import x\n")
    assert imports("pipeline.d") == ("pipeline", "pipeline.b", "pipeline.c")


def test_filtering_does_not_depend_on_the_policy():
    assert not [name for name in closure("pipeline.filter.command") if name.startswith("pipeline.policy")]
