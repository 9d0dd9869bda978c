"""The generated files: as the types say, and saying what the types mean."""

import itertools

import jsonschema
import pytest
import yaml
from refocus.config.generate import config_yaml, rendered, schema_yaml, settings_md
from refocus.config.layers import merge, read
from refocus.config.overlay import check


def test_generated_files_are_up_to_date(repository):
    """Fix with `python -m refocus config --write`."""
    for path, text in rendered(repository / "config.yaml").items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} has drifted"


def test_rendering_keeps_the_values(repository):
    values = read(repository / "config.yaml")
    assert check(yaml.safe_load(config_yaml(values))) == check(values)


def test_rendering_twice_changes_nothing(repository):
    once = config_yaml(read(repository / "config.yaml"))
    assert config_yaml(yaml.safe_load(once)) == once


def test_small_numbers_stay_numbers(repository):
    values = merge(read(repository / "config.yaml"), {"train": {"lr_pretrained": 1e-7}})
    assert yaml.safe_load(config_yaml(values))["train"]["lr_pretrained"] == 1e-7


def test_every_key_of_the_default_has_a_comment(repository):
    """On its line or on the line above; later entries of a mapping are described by the first."""
    lines = (repository / "config.yaml").read_text(encoding="utf-8").splitlines()
    stages = lines[next(number for number, line in enumerate(lines) if line.startswith("ingest:")) :]
    bare = [
        line
        for above, line in itertools.pairwise(stages)
        if ":" in line and "#" not in line and not above.strip().startswith("#") and not line.startswith("  demo:")
    ]
    assert bare == []


def test_the_schema_accepts_the_default_and_no_unknown_key(repository):
    schema = yaml.safe_load(schema_yaml())
    values = read(repository / "config.yaml")
    jsonschema.validate(values, schema)
    for change in ({"filter": {"tua": 1}}, {"nothing": 1}, {"lmms": {"tiny": {"pth": ""}}}):
        with pytest.raises(jsonschema.ValidationError, match="unexpected"):
            jsonschema.validate(merge(values, change), schema)


def test_the_settings_page_lists_every_key():
    page = settings_md()
    for key in ("`tau`", "`runtime.clips_per_micro_batch`", "`<name>.annotations`", "`lr_pretrained`", "`n_frames`"):
        assert f"| {key} |" in page
