"""The summary's one line says what the world's table says."""

from refocus.report.claims import headline


def table(tmp_path, *rows: str):
    path = tmp_path / "world.csv"
    path.write_text("\n".join(["LMM,selector,frames,moment,static", *rows]) + "\n")
    return path


def test_the_line_has_the_gain_and_the_share_of_the_way(tmp_path):
    line = headline(table(tmp_path, "tiny,uniform,4,40.0,", "tiny,refocus/demo,4,70.0,", "tiny,oracle,4,100.0,"))
    assert "70.0 %" in line
    assert "+30.0 points" in line
    assert "50 % of the way" in line


def test_several_runs_are_averaged(tmp_path):
    line = headline(table(tmp_path, "tiny,uniform,4,40.0", "tiny,refocus/a,4,60.0", "tiny,refocus/b,4,70.0"))
    assert "65.0 % (mean of 2 runs)" in line
    assert "oracle" not in line


def test_questions_on_two_moments_have_their_line_first(tmp_path):
    path = tmp_path / "world.csv"
    path.write_text("LMM,selector,frames,sequence,moment\ntiny,uniform,4,20,40\ntiny,refocus/a,4,60,70\n")
    two, one = headline(path).splitlines()
    assert "two moments: 60.0 %" in two and "one moment: 70.0 %" in one


def test_nothing_is_said_without_a_learned_policy(tmp_path):
    assert headline(table(tmp_path, "tiny,uniform,4,40.0", "tiny,oracle,4,100.0")) == ""


def test_an_oracle_no_better_than_uniform_gives_no_share(tmp_path):
    line = headline(table(tmp_path, "tiny,uniform,4,40.0", "tiny,refocus/a,4,40.0", "tiny,oracle,4,40.0"))
    assert "of the way" not in line
