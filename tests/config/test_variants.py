"""Runs that differ in their seed alone are one setting; its label says what tells it from the others."""

import pytest
from refocus.config.layers import merge, read
from refocus.config.overlay import check
from refocus.config.root import Root
from refocus.config.variants import from_json, to_json, trained, variants
from refocus.core.errors import UsageError


@pytest.fixture
def configured(repository):
    def build(**runs) -> Root:
        overlay = {
            "runs": runs,
            "use": {"runs": list(runs), "selectors": []},
            "train": {"picks": 2, "entropy_weight": 0.05},
        }
        return check(merge(read(repository / "config.yaml"), overlay))

    return build


def test_seeds_of_one_setting_need_no_label(configured):
    (only,) = variants(configured(a={"seed": 0}, b={"seed": 1}))
    assert (only.label, only.trained, only.runs) == ("", "2", ("a", "b"))


def test_labels_hold_t_and_what_differs_from_the_section(configured):
    made = variants(
        configured(
            a={"seed": 0},
            b={"train": {"picks": 8}},
            c={"train": {"entropy_weight": 0.0}},
            d={"seed": 3, "train": {"picks": 8}},
            e={"policy": {"reinit_layers": 1}},
        )
    )
    assert [(v.label, v.runs) for v in made] == [
        ("T' = 2", ("a",)), ("T' = 8", ("b", "d")), ("T' = 2, β = 0", ("c",)), ("T' = 2, reinit_layers = 1", ("e",)),
    ]  # fmt: skip


def test_the_setting_as_configured_is_named_by_what_the_others_change(configured):
    made = variants(configured(base={}, none={"train": {"entropy_weight": 0.0}}))
    assert [v.label for v in made] == ["β = 0.05", "β = 0"]


def test_what_never_decides_a_result_makes_no_setting(configured):
    assert len(variants(configured(a={}, b={"train": {"runtime": {"threads": 2}}}))) == 1


def test_they_survive_the_command_line(configured):
    made = variants(configured(a={}, b={"train": {"picks": 8}}))
    assert from_json(to_json(made)) == made
    assert from_json(None) == []
    with pytest.raises(UsageError, match="--variants"):
        from_json('{"a"')


def test_a_curriculum_is_named_by_its_stages():
    assert trained({"picks": 8, "curriculum": [[0.0, 2], [0.5, 8]]}) == "2→8"
    assert trained({"picks": 8}) == trained({"picks": 8, "curriculum": None}) == "8"
