"""`imports` and `imported/<name>`: what is wrong is said before anything runs, with the key and the mend."""

import pytest
from pydantic import ValidationError
from refocus.config.imports import ImportFormat
from refocus.config.root import Root
from refocus.config.selectors import SelectorName, of_run, slug, unslug
from refocus.core.errors import UsageError
from refocus.select.exports.formats import FORMATS


def root(entry, annotations=("a.parquet",), n_frames=(4, 8)):
    return Root.model_validate(
        {
            "use": {"benchmarks": ["mine"], "selectors": ["uniform", "imported/aks-blip"]},
            "benchmarks": {"mine": {"format": "videomme", "annotations": list(annotations), "videos": "v"}},
            "imports": {"aks-blip": entry},
            "answer": {"n_frames": list(n_frames)},
            "tables": {"n_frames": n_frames[0]},
        }
    )


def test_the_formats_are_those_that_can_be_read():
    assert set(ImportFormat.__args__) == set(FORMATS)


def test_a_file_for_each_number_of_frames_or_one_of_rankings():
    entry = root({"format": "aks", "files": {"mine": "picks/{frames}.json"}}).imports["aks-blip"]
    assert [entry.file("mine", n) for n in (4, 8)] == ["picks/4.json", "picks/8.json"]
    ranked = root({"format": "videoitg", "files": {"mine": "p.jsonl"}, "ranked": True}).imports["aks-blip"]
    assert [ranked.file("mine", n) for n in (4, 8)] == ["p.jsonl", "p.jsonl"]
    assert root({"files": {"mine": "p.jsonl"}}, n_frames=(4,))


@pytest.mark.parametrize(
    ("entry", "more", "why"),
    [
        ({"files": {"other": "p.jsonl"}}, {}, "imports.aks-blip.files: none for mine"),
        ({"files": {"mine": "p.jsonl"}}, {}, "imports.aks-blip.files.mine: one file for 2 numbers"),
        ({"files": {"mine": "{n}.jsonl"}}, {}, "of braces only {frames} has a meaning"),
        ({"files": {"mine": "https://a.b/{frames}.json"}}, {}, "https"),
        ({"format": "dig", "files": {"mine": "{frames}"}}, {}, "Input should be 'jsonl'"),
        (
            {"format": "aks", "files": {"mine": "{frames}.json"}},
            {"annotations": ("a.json", "b.json")},
            "imports.aks-blip.annotations.mine: aks counts rows of one file, and the benchmark has 2",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused(entry, more, why):
    with pytest.raises(ValidationError) as refused:
        root(entry, **more)
    assert why in str(refused.value)


def test_a_name_that_is_not_defined_is_refused():
    with pytest.raises(ValidationError, match="'aks-blip' is not defined under imports"):
        Root.model_validate({"use": {"selectors": ["imported/aks-blip"]}})


def test_the_name_goes_through_paths_and_back_and_is_no_run():
    name = SelectorName.parse("imported/aks-blip")
    assert str(name) == unslug(slug("imported/aks-blip")) == "imported/aks-blip"
    assert name.run is None and name.imported == "aks-blip" and not name.asks_policy and not of_run(str(name))
    for wrong in ("imported", "imported/", "imported/a/b"):
        with pytest.raises(UsageError, match="imported/<name>"):
            SelectorName.parse(wrong)
