"""`refocus gc` lists what no configuration refers to, and removes nothing else."""

import re

import pytest
import yaml
from refocus.cli.main import main
from refocus.config.identity import all_kept, checkpoints_kept, frames_kept, margins_kept
from refocus.config.overlay import load
from refocus.core.errors import RefocusError
from refocus.frames.store_survey import StoreEntry, remove, survey


@pytest.fixture
def project(tmp_path, monkeypatch, repository):
    """A working directory with the default configuration, its shipped models and a store with two generations."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text((repository / "config.yaml").read_text())
    (tmp_path / "assets").symlink_to(repository / "assets")
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"decode": {"fps": 2.0}, "train": {"entropy_weight": 0.5}}))
    for overlays in ([], ["other.yaml"]):
        root = load(["config.yaml", *overlays])
        for path in all_kept(root):
            file = tmp_path / root.results / "store" / path
            file = file if file.suffix == ".parquet" else file / "000000.tar"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(1000))
    return tmp_path


def files(store):
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


def test_dry_by_default_then_exactly_the_other_generation_goes(project, capsys):
    """What is listed is what goes; what the configuration refers to stays, and nothing is left of the rest."""
    store = project / load(["config.yaml"]).results / "store"
    before = files(store)
    current, other = load(["config.yaml"]), load(["config.yaml", "other.yaml"])
    assert main(["gc"]) == 0
    out = capsys.readouterr().out
    assert files(store) == before
    for path in all_kept(other) - all_kept(current):
        assert path in out
    assert "1.0 kB" in out
    assert "--delete" in out
    assert main(["gc", "--delete"]) == 0
    left = {path.removesuffix("/000000.tar") for path in files(store)}
    assert left == all_kept(current)
    assert all(any(folder.rglob("*")) for folder in store.rglob("*") if folder.is_dir())
    assert main(["gc", "--delete"]) == 0
    assert "0 B in 0 entries removed" in capsys.readouterr().out


def test_several_configurations_are_all_kept(project):
    """Each --configfile is one configuration; what any of them refers to stays."""
    store = project / load(["config.yaml"]).results / "store"
    before = files(store)
    stale = store / "frames" / "0123456789ab" / "nextqa" / "000000.tar"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"x")
    assert main(["gc", "--delete", "--configfile", "config.yaml", "--configfile", "other.yaml"]) == 0
    assert files(store) == before


def test_what_the_rules_write_is_kept(project):
    """Every folder that a rule of this configuration writes to."""
    root = load(["config.yaml"])
    sources = [*root.use.datasets, *root.use.benchmarks]
    written = {frames_kept(root, name) for name in sources} | {f"shards/{name}.parquet" for name in sources}
    written |= {margins_kept(root, name) for name in root.use.datasets}
    written |= {checkpoints_kept(root, run) for run in root.use.runs}
    assert written <= all_kept(root)


def test_used_and_unused_entries_both_count(project):
    """Emptying `use.runs` for a while costs nothing."""
    unused = load(["config.yaml"]).model_copy(update={"use": load(["config.yaml"]).use.model_copy(update={"runs": ()})})
    assert all_kept(unused) == all_kept(load(["config.yaml"]))


def test_the_rules_write_where_gc_looks(repository):
    """Rules take the folders from the same functions, and name no folder of the store by themselves."""
    text = "".join(path.read_text() for path in (repository / "workflow" / "rules").glob("*.smk"))
    named = set(re.findall(r"\{STORE\}/(.{12,30}?)\(SETTINGS, wildcards", text))
    assert named == {f"{{{function.__name__}" for function in (frames_kept, margins_kept, checkpoints_kept)}
    assert len(re.findall(r"\{STORE\}/(?!\{\w+_kept\()", text)) == 0


def test_strange_things_and_links_stay(project, tmp_path_factory, capsys):
    """A link is neither followed nor removed; what nobody knows is mentioned and left."""
    store = project / load(["config.yaml"]).results / "store"
    outside = tmp_path_factory.mktemp("outside")
    (outside / "precious").write_text("data")
    (store / "frames" / "feedfeedfeed").symlink_to(outside)
    (store / "train" / "feedfeedfeed").symlink_to(outside / "precious")
    (store / "notes.txt").write_text("mine")
    inner = store / "frames" / "deadbeefdead" / "nextqa"
    inner.mkdir(parents=True)
    (inner / "link").symlink_to(outside)
    assert main(["gc", "--delete"]) == 0
    assert (outside / "precious").read_text() == "data"
    assert (store / "frames" / "feedfeedfeed").is_symlink()
    assert (store / "notes.txt").exists()
    assert not inner.exists()
    out = capsys.readouterr().out
    assert out.count("left alone") == 3
    assert "notes.txt" in out


def test_nothing_outside_the_store_is_removed(tmp_path):
    """Whatever it is given."""
    store, outside = tmp_path / "store", tmp_path / "outside"
    for folder in (store / "frames", outside):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (store / "link").symlink_to(outside)
    for path in (
        outside,
        outside / "file",
        store,
        store / "frames" / ".." / ".." / "outside",
        store / "link",
        tmp_path,
    ):
        with pytest.raises(RefocusError, match="left alone"):
            remove(store, [StoreEntry(path, 1, 1)])
        assert (outside / "file").exists()
        assert (store / "frames" / "file").exists()


def test_an_unknown_model_or_a_running_workflow_refuses(project, capsys):
    """A fingerprint that cannot be known must not make everything garbage; a running job must not lose its folder."""
    store = project / load(["config.yaml"]).results / "store"
    before = files(store)
    (project / ".snakemake" / "locks").mkdir(parents=True)
    (project / ".snakemake" / "locks" / "0.output.lock").write_text("")
    assert main(["gc", "--delete"]) == 1
    (project / ".snakemake" / "locks" / "0.output.lock").unlink()
    (project / "gone.yaml").write_text("policy: {start: ./models/gone}")
    assert main(["gc", "--delete", "--configfile", "gone.yaml"]) == 2
    assert files(store) == before


def test_no_store_is_an_empty_one(tmp_path):
    found = survey(tmp_path / "store", ["frames/x/y"])
    assert (found.kept, found.garbage, found.unknown) == ([], [], [])
