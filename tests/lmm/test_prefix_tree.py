"""The prefix tree computes every shared beginning once, keeps every path and stays within its room."""

from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.lmm.prefix_tree import Pack, Trunk, grow
from refocus.reward.windows import subsets

paths = st.lists(st.lists(st.integers(0, 3), max_size=6).map(tuple), min_size=1, max_size=24)


def follow(parts, trunk, seen, width):
    """Walks the plan as the scorer does, row by row, and notes every frame computed and every path ended."""
    for part in parts:
        assert part.depth == len(trunk)
        if isinstance(part, Trunk):
            seen["computed"] += [
                (*trunk, *part.frames)[:n] for n in range(len(trunk) + 1, len(trunk) + len(part.frames) + 1)
            ]
            follow(part.parts, (*trunk, *part.frames), seen, width)
            continue
        assert isinstance(part, Pack)
        assert len(part.paths) <= max(1, width)
        rows = [trunk]
        for step in part.steps():
            before, rows = rows, []
            for parent, frames, ended in zip(step.parents, step.frames, step.ended, strict=True):
                start = before[parent]
                assert len(start) == step.start
                rows.append((*start, *frames))
                seen["computed"] += [rows[-1][:n] for n in range(step.start + 1, step.stop + 1)]
                seen["ended"] += [rows[-1]] if ended else []
            assert len(rows) <= len(part.paths)


@settings(max_examples=300, deadline=None)
@given(paths, st.integers(0, 25))
def test_every_path_ends_once_and_every_shared_beginning_is_computed_once(paths, width):
    seen = {"computed": [], "ended": []}
    follow(grow(paths, lambda some: len(some) <= width), (), seen, width)
    assert sorted(seen["ended"]) == sorted(set(paths))
    assert sorted(seen["computed"]) == sorted({path[:n] for path in paths for n in range(1, len(path) + 1)})


def test_the_sixteen_subsets_of_a_long_clip_are_a_handful_of_passes():
    lists = [subset.frames for subset in subsets(512)]
    [pack] = grow(lists, lambda some: True)
    assert sum(len(step.frames) * (step.stop - step.start) for step in pack.steps()) == 416
    assert len(list(pack.steps())) == 6
