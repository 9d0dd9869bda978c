"""Every selector returns distinct frames in range; each keeps its own promise about which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.config.selectors import SelectorName, slug
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.evidence import Evidence
from refocus.qa.records import Question
from refocus.select.baselines import NO_EVIDENCE, OracleSelector, RandomSelector, UniformSelector
from refocus.select.picks import Picks, Selection
from refocus.select.selections import ALONE, add_selections, write_selections
from refocus.select.selector import ClipView, question_seed
from refocus.select.swapped import SwappedSelector


def question(qa_id: str, clip_id: str = "clip") -> Question:
    return Question(
        qa_id,
        "bench",
        "test",
        clip_id,
        "a.mp4",
        None,
        None,
        "what?",
        ("x", "y"),
        0,
        "x",
        "moment/color",
        f"s{qa_id}",
        (),
    )


def clip(n_frames: int, step: float = 0.25) -> ClipView:
    return ClipView("clip", tuple(step * index for index in range(n_frames)))


def asked(count: int) -> list[Question]:
    return [question(f"{number:02d}") for number in range(count)]


SELECTORS = {
    "uniform": lambda questions, t: UniformSelector(),
    "random": lambda questions, t: RandomSelector(3),
    "oracle": lambda questions, t: OracleSelector(
        Evidence({q.qa_id: [(0.25 * (t // 3), 0.25 * (t // 2))] for q in questions})
    ),
}


@pytest.mark.parametrize("name", SELECTORS)
@given(n_frames=st.integers(1, 200), budgets=st.sets(st.integers(1, 64), min_size=1, max_size=3))
def test_picks_are_distinct_in_range_and_as_many_as_asked(name, n_frames, budgets):
    """min(n, T) distinct frames for every question and every n; asking for more than there are gives them all."""
    questions = asked(2)
    picked = SELECTORS[name](questions, n_frames).pick(clip(n_frames), questions, sorted(budgets))
    assert set(picked) == budgets
    for n, rows in picked.items():
        for picks in rows:
            assert len(picks.order) == len(set(picks.order)) == min(n, n_frames)
            assert all(0 <= frame < n_frames for frame in picks.order)


@given(order=st.permutations(range(9)), n=st.integers(1, 9))
def test_a_selection_is_sorted_in_time_and_remembers_the_order_of_picking(order, n):
    picks = Picks(tuple(order[:n]), tuple(float(frame) for frame in order[:n]))
    selection = Selection.of(picks, clip(9).timestamps_s)
    assert list(selection.frame_indices) == sorted(order[:n])
    assert selection.timestamps_s == tuple(0.25 * frame for frame in selection.frame_indices)
    assert sorted(selection.pick_order) == list(selection.frame_indices)
    assert selection.score == tuple(float(frame) for frame in selection.frame_indices)
    assert selection.picks == picks


def test_uniform_takes_midpoints_and_knows_no_question():
    rows = UniformSelector().pick(clip(16), asked(3), [4])[4]
    assert [picks.order for picks in rows] == [(2, 6, 10, 14)] * 3


def test_random_is_decided_by_seed_and_question_alone():
    """The same question gets the same frames in any company; another seed or question gets others."""
    questions = asked(3)
    together = RandomSelector(0).pick(clip(100), questions, [8])[8]
    alone = RandomSelector(0).pick(clip(100), questions[1:2], [8])[8]
    assert together[1] == alone[0]
    assert together[0] != together[1]
    assert RandomSelector(1).pick(clip(100), questions[1:2], [8])[8] != alone


def test_random_with_fewer_frames_is_the_start_of_random_with_more():
    rows = RandomSelector(0).pick(clip(50), asked(1), [2, 8])
    assert rows[8][0].order[:2] == rows[2][0].order


def test_question_seeds_fit_torch_generators():
    seeds = {question_seed(seed, qa_id) for seed in range(3) for qa_id in "abc"}
    assert len(seeds) == 9 and all(0 <= seed < 2**63 for seed in seeds)


def test_picks_of_one_question_from_two_files_are_refused(tmp_path):
    """Two seeds in one folder: the later file would have replaced the earlier one."""
    for seed, names in ((0, "ab"), (1, "bc")):
        rows = {name: Selection((seed,), (0.25 * seed,), (seed,)) for name in names}
        write_selections(tmp_path / f"n1.s{seed}.parquet", rows, {"selector": "uniform"})
    known: dict[str, Selection] = {}
    add_selections(known, tmp_path / "n1.s0.parquet")
    assert list(known) == ["a", "b"]
    with pytest.raises(UsageError, match=r"n1\.s1\.parquet: 1 of its questions have picks in another file"):
        add_selections(known, tmp_path / "n1.s1.parquet")


def test_oracle_fills_the_evidence_before_anything_else():
    """Evidence from 1.0 s to 2.0 s holds frames 4 to 7."""
    selector = OracleSelector(Evidence({("bench", "s00"): [(1.0, 2.0)]}))
    rows = selector.pick(clip(20), asked(1), [1, 2, 4, 6])
    assert {n: set(picks[0].order) <= {4, 5, 6, 7} for n, picks in rows.items()} == {
        1: True,
        2: True,
        4: True,
        6: False,
    }
    assert rows[6][0].order[:4] == (4, 5, 6, 7)
    assert rows[6][0].score == (1, 1, 1, 1, 0, 0)
    assert rows[2][0].order == (5, 7)


def test_oracle_reaches_every_span_when_it_can():
    selector = OracleSelector(Evidence({("bench", "s00"): [(0.0, 0.5), (2.0, 5.0)]}))
    first, second = selector.pick(clip(40), asked(1), [2])[2][0].order
    assert first in (0, 1) and 8 <= second < 20
    assert len(selector.pick(clip(40), asked(1), [1])[1][0].order) == 1


def test_oracle_of_spans_that_overlap_takes_as_many_frames_and_evidence_before_anything_else():
    """Both spans hold frames 4 to 7, the second 8 to 11 too."""
    selector = OracleSelector(Evidence({("bench", "s00"): [(1.0, 2.0), (1.0, 3.0)]}))
    rows = selector.pick(clip(20), asked(1), [2, 6, 8, 10, 30])
    for n, (picks,) in rows.items():
        inside = [frame for frame in picks.order if 4 <= frame < 12]
        assert len(set(picks.order)) == len(picks.order) == min(n, 20)
        assert len(inside) == min(n, 8) == sum(picks.score)


def test_oracle_takes_the_frame_being_shown_when_the_evidence_falls_between_frames():
    assert OracleSelector(Evidence({("bench", "s00"): [(1.05, 1.2)]})).pick(clip(20), asked(1), [1])[1][0].order == (4,)


def test_oracle_on_a_whole_clip_is_uniform():
    selector = OracleSelector(Evidence({("bench", "s00"): [(0.0, 100.0)]}))
    assert (
        selector.pick(clip(16), asked(1), [4])[4][0].order
        == UniformSelector().pick(clip(16), asked(1), [4])[4][0].order
    )


def test_oracle_refuses_questions_it_knows_nothing_about():
    with pytest.raises(RefocusError, match="s00"):
        OracleSelector(Evidence({})).pick(clip(4), asked(1), [1])


def test_oracle_is_uniform_where_annotations_leave_out_a_question():
    """And says so; a table that is to know every question is an error instead."""
    known, unknown = asked(2)
    selector = OracleSelector(Evidence({known.qa_id: [(1.0, 2.0)]}, complete=False))
    first, second = selector.pick(clip(20), [known, unknown], [3])[3]
    assert set(first.order) <= {4, 5, 6, 7} and not first.flags
    assert (second.order, second.flags) == (
        UniformSelector().pick(clip(20), [unknown], [3])[3][0].order,
        (NO_EVIDENCE,),
    )


@given(count=st.integers(2, 7))
def test_swapped_gives_every_question_the_picks_of_another(count):
    """Nobody keeps its own and nothing is lost: the rows are handed around."""
    questions = asked(count)
    made = {
        4: {
            q.qa_id: Selection.of(Picks((number, 20 + number)), clip(40).timestamps_s)
            for number, q in enumerate(questions)
        }
    }
    rows = SwappedSelector(made).pick(clip(40), questions, [4])[4]
    own = [made[4][question.qa_id].pick_order for question in questions]
    assert all(picks.order != mine for picks, mine in zip(rows, own, strict=True))
    assert sorted(picks.order for picks in rows) == sorted(own)


def test_swapped_flags_a_question_that_has_nobody_to_swap_with():
    made = {4: {"00": Selection.of(Picks((1, 2)), clip(4).timestamps_s)}}
    assert SwappedSelector(made).pick(clip(4), asked(1), [4])[4] == [Picks((), (), (ALONE,))]


def test_swapped_says_which_picks_are_missing():
    with pytest.raises(RefocusError, match="01"):
        SwappedSelector({4: {"00": Selection((0,), (0.0,), (0,))}}).pick(clip(4), asked(2), [4])


@pytest.mark.parametrize(
    "text", ["uniform", "random", "oracle", "topk-options", "confidence", "refocus-question/a--b", "swapped/demo-2"]
)
def test_a_selector_name_reads_back_as_it_was_written(text):
    assert str(SelectorName.parse(text)) == text
    assert "/" not in slug(text)


@pytest.mark.parametrize("text", ["unifrom", "uniform/demo", "refocus", "refocus/", "refocus/a/b", ""])
def test_a_wrong_selector_name_is_refused_with_the_known_ones(text):
    with pytest.raises(UsageError, match=r"uniform, random, .*topk, topk-options.*refocus/<run>"):
        SelectorName.parse(text)
