"""config/paper.yaml is laid over the demo's configuration, and nothing of the demo may shine through."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from refocus.config.layers import merge, read
from refocus.config.overlay import check

# What the demo defines and the paper's configuration does not use: entries that no list of `use` names, and the
# training of the world's tiny models.
UNUSED = {"lmms.tiny", "scorers.siglip", "runs.demo", "assets"}


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key; mappings without entries are settings too."""
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, values


def is_below(key: str, keys: set[str]) -> bool:
    """Whether a dotted key is one of `keys` or a part of what one of them names."""
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def inherited(demo: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the merged configuration that are neither written in the overlay nor the typed default."""
    written = {key for key, _ in leaves(overlay)}
    alone = dict(leaves(check(overlay).model_dump(mode="json")))  # the overlay over the typed defaults
    merged = leaves(check(merge(demo, overlay)).model_dump(mode="json"))
    return {
        key: value
        for key, value in merged
        if not is_below(key, written | UNUSED) and not (key in alone and alone[key] == value)
    }


@pytest.fixture(scope="module")
def demo(repository):
    return read(repository / "config.yaml")


@pytest.fixture(scope="module")
def paper(repository):
    return read(repository / "config/paper.yaml")


def test_every_setting_of_the_paper_is_written_there_or_the_typed_default(demo, paper):
    assert inherited(demo, paper) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("select.mode", "greedy"),
        ("decode.fps", 2.0),
        ("filter.ddof", 0),
        ("datasets.nextqa.limit", 5),
        ("policy.reinit_norm", 0.2),
        ("lmms.internvl3-8b.family", "internvl"),
    ],
)
def test_a_setting_of_the_demo_that_shines_through_is_named(demo, paper, key, value):
    assert set(inherited(merge(demo, nested(key, value)), paper)) == {key}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.runtime.clips_per_micro_batch", 3),
        ("answer.runtime.batch_tokens", 1000),
        ("screen.leaks", "report"),
        ("datasets.llava_video.format", "vista"),
        ("runs.demo.train.picks", 3),
    ],
)
def test_what_the_paper_writes_or_leaves_out_no_demo_decides(demo, paper, key, value):
    assert inherited(merge(demo, nested(key, value)), paper) == {}


def nested(key: str, value: Any) -> dict[str, Any]:
    """A layer that sets one dotted key."""
    *parents, last = key.split(".")
    layer = {last: value}
    for parent in reversed(parents):
        layer = {parent: layer}
    return layer


def test_leaks_are_dropped_and_the_demos_runtime_stays_behind(demo, paper):
    root = check(merge(demo, paper))
    assert root.screen.leaks == "drop"
    assert root.answer.runtime.batch_tokens is None
    assert root.train.runtime.clips_per_micro_batch != demo["train"]["runtime"]["clips_per_micro_batch"]


def test_what_is_left_out_of_the_comparison_is_not_used(demo, paper):
    root = check(merge(demo, paper))
    used = {f"{kind}.{name}" for kind in ("lmms", "runs") for name in getattr(root.use, kind)}
    assert not used & UNUSED and root.world is None
    assert root.embed.model != "siglip"
    assert "tiny" not in {
        root.reward.model,
        root.certainty.model,
        *(root.run_train(name).reward_model for name in root.use.runs),
    }
