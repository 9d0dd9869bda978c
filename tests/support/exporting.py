"""Exports and imports of a small benchmark, as the commands and as the formats themselves do them."""

from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import ExportSources, read_asked, read_picked
from refocus.select.selections import read_selections, write_selections

N = 6  # picks of a question


def export(bench, name, table, out, *more):
    words = [name, table, "--qa", bench.qa, "--annotations", bench.annotations, "--videos", bench.videos]
    return bench.refocus("export", *words, "--served-model", "m", "--out", out, *more)


def bring_back(bench, name, file, out, *more):
    words = [name, file, "--qa", bench.qa, "--index", bench.index, "--videos", bench.videos]
    words += ["--annotations", bench.annotations, "--name", "back", "--out", out, *more]
    return bench.refocus("import", *words)


def write(bench, name, table, path):
    """The format's own `write`, whose errors are not yet a status."""
    sources = ExportSources(bench.annotations, bench.videos, "m")
    FORMATS[name].write(read_picked([table], [read_asked(bench.qa)]), sources, path)


def changed(table, folder, change):
    """The table with other rows."""
    rows = read_selections(table)
    path = folder / table.name
    write_selections(path, change(rows), {"selector": "random", "selector_digest": "x"})
    return path
