"""The report's pages: all of every table, nothing from elsewhere, nothing dropped in silence, the same bytes again."""

import csv
import itertools
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.cli.main import main
from refocus.config.root import Root
from refocus.core import results_folder
from refocus.core.errors import RefocusError
from refocus.report.pages import index_page
from refocus.report.pages.configuration import changes
from refocus.report.pages.render import as_script
from refocus.report.pages.rulegraph import parse
from refocus.report.pages.sample import Candidate, sample
from refocus.report.pages.site import write_report
from refocus.report.pages.table_page import table_page
from refocus.report.pages.table_view import read_table, view
from refocus.report.pages.thumbnails import evenly

from tests.support.reported_results import DOT, FRAMES, HOSTILE, KINDS, SELECTORS


class Page(HTMLParser):
    """Elements with their attributes, and all text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.elements)


def index_of(report) -> Page:
    return Page((report / "index.html").read_text(encoding="utf-8"))


def gallery_of(report) -> dict:
    text = (report / "gallery-data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.GALLERY = ").removesuffix(";\n"))


@pytest.fixture
def no_snakemake(monkeypatch):
    monkeypatch.setattr(index_page, "ask_snakemake", lambda root, results: DOT)


# ---- tables


def test_every_value_of_every_table_is_on_the_page(reported, report):
    page = index_of(report)
    said = " ".join([*page.texts, *(f"{e.get('title', '')} {e.get('data-sort', '')}" for _, e in page.elements)])
    for path in results_folder.TABLES.at(reported[1]).glob("*.csv"):
        rows = list(csv.reader(path.open(encoding="utf-8")))
        assert not {value for row in rows[1:] for value in row if value and value not in said}


def test_columns_are_sorted_by_numbers_and_read_as_words(reported):
    table = read_table(results_folder.TABLE.at(reported[1], table="table1", suffix="csv"))
    assert table.titles == (("selector", False), ("bench all (n=6)", True), ("seconds", True))
    first = table.rows[0][1]
    assert (first.text, first.more, first.sort) == ("40.0", "[30.0–50.0]", "40.0")
    assert "low 30.0" in first.hint and "n 6" in first.hint
    assert [row[0].text for row in table.rows] == ["uniform", "random", "ReFoCUS", "oracle (told the evidence)"]
    assert (table.rows[3][1].text, table.rows[3][1].sort) == ("not run", "")


def test_a_csv_alone_is_a_table_and_words_of_another_are_not_taken():
    plain = view("x", "tau,kept\n0.1,5\n0.2,3\n", "# Heading\n\n| tau | a | b |\n|---|---|---|\n| 0.1 | 1 | 2 |\n")
    assert [title for title, _ in plain.titles] == ["tau", "kept"]
    assert [[cell.text for cell in row] for row in plain.rows] == [["0.1", "5"], ["0.2", "3"]]
    assert all(numeric for _, numeric in plain.titles)


def test_a_tables_own_page_needs_nothing_beside_it(reported):
    folder = results_folder.TABLES.at(reported[1])
    text = (folder / "table1.html").read_text(encoding="utf-8")
    assert text == table_page("table1", (folder / "table1.csv").read_text(), (folder / "table1.md").read_text()) + "\n"
    page = Page(text)
    assert page.count("tr") == 5 and page.count("link") == 0 and page.count("b") == 0
    assert not [one for one in page.elements if {"src", "href"} & one[1].keys()]


# ---- what must not happen


def test_pages_name_nothing_that_is_not_in_their_folder(report):
    for file in report.rglob("*.html"):
        named = [
            value for _, e in Page(file.read_text()).elements for key, value in e.items() if key in ("src", "href")
        ]
        assert len(named) > 3 or file.parent != report
        for value in named:
            assert value.startswith("#") or (file.parent / value.partition("#")[0]).is_file(), f"{file.name}: {value}"
    code = "".join(file.read_text() for file in report.iterdir() if file.suffix in (".js", ".css", ".html"))
    assert not set(re.findall(r"https?://[\w./-]+", code)) - {"http://www.w3.org/2000/svg"}
    assert not re.search(r"fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|document\.write|@import", code)


def test_a_question_stays_text_in_script_and_page(report):
    code = (report / "gallery-data.js").read_text(encoding="utf-8")
    assert HOSTILE in {question["question"] for question in gallery_of(report)["questions"]}
    assert not set("<>&\u2028") & set(code)
    for file in ("index.html", "gallery.html"):
        assert "<script>" not in (report / file).read_text()
    page = index_of(report)
    assert page.count("i") == 0 and "a note with <i>markup</i>" in page.texts


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_any_value_survives_the_script_and_none_ends_it(value):
    code = as_script("X", value)
    assert json.loads(code.removeprefix("window.X = ").removesuffix(";\n")) == value
    assert not set("<>&\u2028\u2029") & set(code)


def test_scripts_run_from_files_only(report):
    for name in ("index.html", "gallery.html"):
        elements = Page((report / name).read_text()).elements
        policy = next(e["content"] for _, e in elements if e.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert all("src" in e for tag, e in elements if tag == "script")


def test_equal_results_give_equal_bytes(reported, report, no_snakemake, tmp_path):
    root, results = reported
    write_report(root, Root(), results, tmp_path / "again", 100, ["snakemake --cores all"])
    one, two = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (report, tmp_path / "again")
    )
    assert one == two and len(one) > 15


# ---- what is missing


@pytest.mark.fault("input missing or unreadable", "report", "what is missing is named, the rest is shown")
def test_missing_parts_are_named_and_the_rest_is_shown(reported, tmp_path, monkeypatch):
    root, results = reported
    copy = tmp_path / "results"
    shutil.copytree(results, copy)
    shutil.rmtree(results_folder.TABLES.at(copy))
    shutil.rmtree(results_folder.FIGURES.at(copy))
    results_folder.INDEX.at(copy, dataset="taught", shard="000000").with_name("000000.tar").unlink()
    where = {"benchmark": "bench", "selector": "random", "frames": FRAMES, "seed": 0}
    results_folder.SELECTIONS.at(copy, **where).unlink()
    results_folder.ANSWERS.at(copy, lmm="tiny", **where).unlink()
    results_folder.LIKELIHOOD.at(copy, benchmark="bench", run="one", frames=FRAMES).unlink()

    def fail(root, results):
        raise RefocusError("no Snakemake here")

    monkeypatch.setattr(index_page, "ask_snakemake", fail)
    made = write_report(root, Root(), copy, tmp_path / "out", 100, [])
    said = " ".join(index_of(tmp_path / "out").texts)
    for part in (
        "tables/table1.csv",
        "figures/accuracy.png",
        "selections/bench/random",
        "answers of random by tiny",
        "likelihood/bench/one.n2.parquet",
    ):
        assert any(part in one for one in made.missing), part
        assert part in said
    assert "tables/table2.csv (no benchmark in use is Video-MMMU)" in made.missing
    assert "There are no tables" in said and "no Snakemake here" in said
    clips = gallery_of(tmp_path / "out")["clips"].values()
    assert {bool(clip["why"]) for clip in clips} == {True}  # the other set's store was opened last


@pytest.mark.fault("input missing or unreadable", "report", "a picture that is cut is named and not shown")
def test_a_picture_that_is_cut_is_named_and_the_other_of_its_name_is_shown(reported, no_snakemake, tmp_path):
    copy = shutil.copytree(reported[1], tmp_path / "results")
    png = results_folder.FIGURE.at(copy, figure="accuracy", suffix="png")
    whole = png.read_bytes()
    png.write_bytes(whole[: len(whole) // 2])
    png.with_suffix(".svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'></svg>\n")
    png.with_name("training.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><g>")
    made = write_report(reported[0], Root(), copy, tmp_path / "out", 1, [])
    assert {one for one in made.missing if "cannot be read" in one} == {
        f"figures/{name} (cannot be read as a picture)" for name in ("accuracy.png", "training.svg")
    }
    shown = [e["src"] for tag, e in index_of(tmp_path / "out").elements if tag == "img"]
    assert {one for one in shown if one.startswith("figures/")} == {"figures/accuracy.svg"}


@pytest.mark.fault("input missing or unreadable", "report", "one line names the table and its row")
@pytest.mark.parametrize(("text", "why"), [(b"", "empty"), (b"a,b\n1,2\n3\n", "row 3 has 1"), (b"\xff", "as a table")])
def test_a_table_that_is_none_is_named(reported, text, why, no_snakemake, tmp_path):
    copy = shutil.copytree(reported[1], tmp_path / "results")
    results_folder.TABLE.at(copy, table="table1", suffix="csv").write_bytes(text)
    with pytest.raises(RefocusError, match=rf"table1\.csv: .*{why}.*run that stage again"):
        write_report(reported[0], Root(), copy, tmp_path / "out", 1, [])


def test_an_empty_results_folder_gives_pages_that_say_so(reported, no_snakemake, tmp_path):
    (tmp_path / "results").mkdir()
    made = write_report(reported[0], Root(), tmp_path / "results", tmp_path / "out", 10, [])
    assert made.questions == 0 and "qa/bench.parquet" in made.missing
    assert "There are no figures." in index_of(tmp_path / "out").texts


def test_a_folder_of_something_else_is_left_alone(reported, no_snakemake, tmp_path, report):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    words = ["report", str(reported[1]), "--configuration", reported[0].model_dump_json(), "--questions", "1"]
    assert main([*words, "--out", str(tmp_path / "mine")]) == 2
    assert [file.name for file in tmp_path.rglob("*")] == ["mine", "thesis.tex"]
    shutil.copytree(report, tmp_path / "old")
    (tmp_path / "old" / "frames" / "stale.webp").touch()
    assert main([*words, "--out", str(tmp_path / "old")]) == 0
    assert len(gallery_of(tmp_path / "old")["questions"]) == 1
    assert len(list((tmp_path / "old" / "frames").iterdir())) == 1


# ---- the gallery


def test_the_gallery_has_every_pick_answer_and_margin(report):
    data = gallery_of(report)
    bench = [question for question in data["questions"] if question["dataset"] == "bench"]
    taught = [question for question in data["questions"] if question["dataset"] == "taught"]
    assert [one["name"] for one in data["selectors"]] == list(SELECTORS)
    assert data["runs"] == ["one"] and len(bench) == len(taught) == 6
    for question in bench:
        clip = data["clips"][question["clip"]]
        for picked in question["picks"]:
            assert len(picked["frames"]) == FRAMES and set(picked["frames"]) <= set(clip["pictures"])
            assert sorted(picked["rank"]) == [1, 2]
        assert len(question["likelihood"][0]) == len(clip["times"])
    assert bench[0]["evidence"] == [[1.0, 2.0]] and bench[0]["answers"] == [[[1, 0, 58]], [[1, 0, 58]], [[0, 1, 58]]]
    assert [one["kept"] for one in taught] == [True, False, False, False, False, False]
    assert [one["margin"] for one in taught[0]["margins"]] == [(n - 8) / 8 for n in range(16)]


def test_a_strip_shows_the_whole_clip():
    assert evenly(4, 12) == [0, 1, 2, 3]
    assert evenly(120, 12) == list(range(5, 120, 10))


def candidates(name: str, **counts: int) -> list[Candidate]:
    return [Candidate(f"{name}{kind}{n}", name, kind) for kind, count in counts.items() for n in range(count)]


def test_all_questions_are_shown_where_they_fit():
    made = sample(candidates("b", x=3), candidates("t", y=2), 5, 0)
    assert len(made.benchmarks) == 3 and len(made.training) == 2
    assert made.rule == "3 of 3 benchmark questions and 2 of 2 training questions."


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200), st.integers(0, 80))
def test_the_sample_fills_its_places_and_leaves_room_for_both(x, y, taught, most):
    asked, learned = candidates("b", x=x, y=y), candidates("t", z=taught)
    made = sample(asked, learned, most, 1)
    shown = len(made.benchmarks) + len(made.training)
    assert shown == min(most, len(asked) + len(learned))
    assert len(made.training) >= min(taught, most // 4) and len(made.benchmarks) >= min(
        len(asked), most - most // 4 - 1
    )
    assert (f"{len(made.benchmarks)} of {len(asked)}" in made.rule) or not asked
    assert ("drawn by lot" in made.rule) == (shown < len(asked) + len(learned))


def test_kinds_are_drawn_in_proportion_and_another_seed_draws_others():
    asked = candidates("b", often=300, seldom=100)
    one, two = sample(asked, [], 40, 0), sample(asked, [], 40, 1)
    kinds = Counter(next(c.category for c in asked if c.qa_id == qa) for qa in one.benchmarks)
    assert kinds == {"often": 30, "seldom": 10}
    assert one.benchmarks != two.benchmarks and one == sample(asked, [], 40, 0)


# ---- the rest of the page


def test_the_graph_keeps_what_does_not_follow_and_drops_its_target():
    graph = parse(DOT)
    assert graph.needs == {"ingest_bench": [], "select_frames": ["ingest_bench"], "make_tables": ["select_frames"]}
    assert [box.y for box in sorted(graph.boxes, key=lambda box: box.y)] == sorted({box.y for box in graph.boxes})


def test_boxes_of_a_graph_do_not_overlap():
    pairs = "\n".join(f"{one} -> {two}" for one in range(1, 9) for two in range(one + 1, 9) if two % one == 0)
    graph = parse("\n".join(f'{n}[label = "rule_{n}"' for n in range(1, 9)) + "\n" + pairs)
    rows = {}
    for box in graph.boxes:
        rows.setdefault(box.y, []).append((box.x - box.width / 2, box.x + box.width / 2))
    for row in map(sorted, rows.values()):
        assert row[0][0] >= 0 and row[-1][1] <= graph.width
        assert all(left[1] < right[0] for left, right in itertools.pairwise(row))


def test_the_configuration_tells_what_differs(reported):
    told = {one.key: (one.before, one.now) for one in changes(Root(), reported[0])}
    assert told["runs.one.seed"] == ("–", "3") and told["use.benchmarks"] == ("[]", '["bench"]')
    assert not changes(reported[0], reported[0])


def test_provenance_counts_files_by_section_and_lists_seeds(report):
    said = " ".join(index_of(report).texts)
    assert "the settings recorded in 3 files" in said  # answers
    assert "runs.one.seed" in said
    assert "0123456789ab+" in said and "not recorded" in said  # of two logs, one from before they said so


def test_kinds_of_the_fixture_are_both_shown(report):
    assert {question["kind"] for question in gallery_of(report)["questions"]} == set(KINDS)
