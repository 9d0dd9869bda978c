"""Digests of code: they follow imports, and see meaning rather than comments."""

import pytest
from refocus.config import code_digest as module
from refocus.config.code_digest import closure, imports, sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules in which `a` imports `b` inside a function."""
    folder = tmp_path / "refocus"
    folder.mkdir()
    write(folder, "__init__.py", "")
    write(folder, "a.py", "def f():\n    from refocus.b import g\n    return g()\n")
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
    assert closure("refocus.a") == ["refocus", "refocus.a", "refocus.b"]


def test_a_comment_or_docstring_changes_nothing(package):
    before = sources("refocus.a")
    write(package, "b.py", '"""Another text."""\n\n\ndef g():\n    # one\n    return 1\n')
    assert sources("refocus.a") == before


def test_a_changed_import_changes_the_digest(package):
    before = sources("refocus.a")
    write(package, "b.py", "def g():\n    return 2\n")
    assert sources("refocus.a") != before


def test_a_module_outside_the_closure_changes_nothing(package):
    before = sources("refocus.a")
    write(package, "c.py", "x = 2\n")
    assert sources("refocus.a") == before


def test_relative_imports_are_resolved(package):
    write(package, "d.py", "from . import b\nfrom .c import x\n")
    assert imports("refocus.d") == ("refocus", "refocus.b", "refocus.c")


def test_filtering_does_not_depend_on_the_policy():
    assert not [name for name in closure("refocus.cli.filter") if name.startswith("refocus.policy")]
