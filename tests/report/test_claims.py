"""The summary's one line says what the world's table says."""

from refocus.report.claims import claims, headline


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


def test_nothing_is_said_without_a_learned_policy(tmp_path):
    assert headline(table(tmp_path, "tiny,uniform,4,40.0", "tiny,oracle,4,100.0")) == ""


def test_an_oracle_no_better_than_uniform_gives_no_share(tmp_path):
    line = headline(table(tmp_path, "tiny,uniform,4,40.0", "tiny,refocus/a,4,40.0", "tiny,oracle,4,40.0"))
    assert "of the way" not in line


def test_claims_compare_means_of_all_runs_and_say_which_do_not_hold(tmp_path):
    rows = ["tiny,uniform,4,40.0,100", "tiny,oracle,4,90.0,100", "tiny,initial/a,4,55.0,99", "tiny,initial/b,4,65.0,99"]
    rows += ["tiny,refocus/a,4,60.0,98", "tiny,refocus/b,4,80.0,100", "tiny,swapped/a,4,65.0,90"]
    lines = claims(table(tmp_path, *rows)).splitlines()
    assert [line.split(" | ")[1:] for line in lines[2:]] == [
        ["+30.0", "25", "holds |"],
        ["+60.0", "75", "**does not hold** |"],
        ["+10.0", "10", "holds |"],
        ["+5.0", "10", "**does not hold** |"],
        ["-1.0", "0", "**does not hold** |"],
    ]


def test_claims_leave_out_what_was_not_run(tmp_path):
    text = claims(table(tmp_path, "tiny,uniform,4,40.0,100", "tiny,refocus/a,4,70.0,100"))
    assert "beats uniform sampling" in text and "oracle" not in text and "before RL" not in text
    assert claims(table(tmp_path, "tiny,uniform,4,40.0,100")) == ""
