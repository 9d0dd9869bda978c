"""The results as HTML: everything is where its time says, and text stays text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.select.picks import Picks
from refocus.select.video_selection import Curve, VideoSelection
from refocus.serve.comparison import Compared
from refocus.serve.view import WIDTH, problem_html, results_html, ticks

HOSTILE = "<script>window.broken = 1</script> ${1 + 1} {{value}} \"'"
TIMES = tuple(place / 4 for place in range(16))


def compared(name: str = "aks", values: tuple[float, ...] | None = tuple(range(16)), order=(12, 3)) -> Compared:
    """Two picks of sixteen candidates, four a second: 4 s."""
    curve = None if values is None else Curve(TIMES, values, "cosine")
    picked = VideoSelection.of(Picks(order, tuple(-float(frame) for frame in order)), TIMES, range(0, 96, 6), curve)
    return Compared(name, picked, (b"jpeg",) * len(order), 16, 4.0, 1.25)


def heights(html: str) -> list[tuple[float, float]]:
    """Points of the curve."""
    [path] = re.findall(r'<path d="M([^"]+)"', html)
    return [tuple(map(float, point.split())) for point in path.split(" L")]


def test_picks_stand_at_their_times_on_the_curve_and_below():
    html = results_html("What?", (), [compared()])
    assert re.findall(r'data-seek="([^"]+)"', html) == ["0.75", "3.0"]
    assert re.findall(r'rf-mark"[^>]*left: ([\d.]+)%', html) == ["18.750", "75.000"]
    assert re.findall(r"<b>([^<]+)</b>", html) == ["0:00.7", "0:03.0"]
    assert re.findall(r"<small>pick (\d)", html) == ["2", "1"]


def test_the_curve_spans_the_video_and_rises_where_the_values_do():
    points = heights(results_html("What?", (), [compared()]))
    assert (points[0][0], points[-1][0]) == (0.0, WIDTH)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)  # y grows downwards


@pytest.mark.parametrize("values", [(0.0,) * 16, (float("-inf"), *(0.5,) * 15), (float("nan"), *range(15))])
def test_values_without_a_range_or_an_end_still_make_a_curve(values):
    for _, y in heights(results_html("What?", (), [compared(values=values)])):
        assert 0 <= y <= 100


def test_lanes_share_one_axis():
    """The shorter answer ends where its time does."""
    long = compared("long", None, (15,))
    longer = Compared("longer", long.selection, long.thumbnails, 16, 8.0)
    html = results_html("What?", (), [compared("short"), longer])
    assert heights(html)[-1][0] == WIDTH  # its last candidate is on screen until the end
    assert re.findall(r'rf-mark"[^>]*left: ([\d.]+)%', html) == ["9.375", "37.500", "46.875"]


def test_text_of_users_and_files_stays_text():
    problem = Compared(HOSTILE, problem=HOSTILE)
    for html in (results_html(HOSTILE, [HOSTILE], [problem, compared(HOSTILE)], [HOSTILE]), problem_html(HOSTILE)):
        assert "<script" not in html and "&lt;script" in html and "\"'" not in html


def test_a_selector_without_likelihood_or_picks_is_shown_as_such():
    html = results_html("What?", ("a", "b"), [compared(values=None), Compared("bad", problem="No.")], ["next"])
    assert "has no likelihood" in html and "<svg" not in html
    assert 'role="alert">No.' in html and "picking …" in html and "A. a · B. b" in html


def test_before_the_first_answer_there_is_no_axis():
    assert "rf-axis" not in results_html("What?", (), [], ["aks"])


@given(st.floats(0.01, 1e6))
def test_times_on_the_axis_are_few_round_and_inside(length_s):
    marks = ticks(length_s)
    assert 1 <= len(marks) <= 9 and marks[0] == 0 and marks[-1] <= length_s
    assert len(marks) > 2 or length_s < 1.0
