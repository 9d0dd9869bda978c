"""`refocus check`: a results folder as stages leave it is right, and no bit of it can change without being found."""

import json
import random
import shutil
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.core import results_folder as place
from refocus.doctor.intact.checks import check
from refocus.doctor.intact.kinds import KINDS, How, kind_of
from refocus.doctor.intact.survey import _files, _parts, survey
from refocus.frames.index import read_index, write_index
from refocus.select.selections import read_selections, write_selections

from tests.support.asked_videos import build_asked_videos
from tests.support.whole_results import note_job, write_whole

FLIPS = 12  # bits of each file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    write_whole(home, build_asked_videos(tmp_path_factory.mktemp("asked"), ("even.mp4", "uneven.mkv")))
    return home


@pytest.fixture()
def home(made, tmp_path):
    """A copy, to be damaged."""
    return shutil.copytree(made, tmp_path / "home")


def run(home: Path, capsys, *words: str) -> tuple[int, str]:
    status = main(["check", str(home / "results"), "--directory", str(home), *words])
    return status, capsys.readouterr().out


def flipped(path: Path, rng: random.Random) -> bytes:
    """Turns one bit over; gives what was there."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(changed)
    return data


def test_what_stages_left_is_right(made, capsys):
    status, text = run(made, capsys)
    assert status == 0, text
    assert text.splitlines()[-1].endswith("were compared, and all are right")
    assert "no stage writes" not in text and "DAMAGED" not in text


def test_the_folder_has_every_kind_of_file(made):
    found = {kind_of(file.relative_to(made / "results")) for file in (made / "results").rglob("*") if file.is_file()}
    assert None not in found
    rare = {"scores of frames", "tiny models", "events of TensorBoard", "pages of the report"}
    assert {kind.name for kind in KINDS} - {kind.name for kind in found} <= rare


@pytest.mark.fault(
    "damaged input or result",
    "workflow",
    "`refocus check` finds every bit of what carries a digest, and names what carries none",
)
def test_every_flipped_bit_of_what_carries_a_digest_is_found(home):
    """In each file in turn; what carries none is named as such."""
    results, rng = home / "results", random.Random(0)
    parts, _ = _parts(results, sorted(_files(results)))
    missed, tried = [], set()
    for part in parts:
        for name in part.files:
            if name in check(part).bare:
                continue
            tried.add(part.kind.how)
            for _ in range(FLIPS):
                data = flipped(results / name, rng)
                if not check(part).damage:
                    missed.append(name)
                (results / name).write_bytes(data)
    assert not missed
    assert tried == set(How) - {How.NOTHING}


def test_a_file_without_a_digest_has_one_where_a_job_read_it(home, capsys):
    cost = place.SELECTION_COST.at(home / "results", benchmark="bench", selector="uniform")
    cost.write_text(cost.read_text().replace("1.5", "1.4"))
    status, text = run(home, capsys)
    assert status == 1
    assert "DAMAGED: selections/bench/uniform/cost.json: is not what tables/table1.csv was made of" in text
    status, text = run(home, capsys, "--directory", str(home / "results"))
    assert (
        status == 0
        and "what jobs noted of their inputs was not compared, or not all" in text
        and "carries no digest" in text
    )


@pytest.mark.fault("input replaced or corrected", "workflow", "`refocus check` names results of an earlier input")
def test_what_was_made_of_an_earlier_file_is_outdated_and_not_damaged(home, capsys):
    """The job of the input ran after that of the result."""
    note_job(home, "results/selections/bench/uniform/cost.json", [], began=3e9)
    note_job(home, "results/tables/table1.csv", ["results/selections/bench/uniform/cost.json"], changed=True)
    status, text = run(home, capsys)
    assert status == 1 and "DAMAGED" not in text
    assert "OUTDATED: tables/table1.csv: was made of another selections/bench/uniform/cost.json" in text


@pytest.mark.fault(
    "input replaced or corrected",
    "select answer",
    "`refocus check` names picks of frames that were replaced, and answers from other picks",
)
def test_picks_of_other_frames_and_answers_from_other_picks_are_outdated(home, capsys):
    results = home / "results"
    for number, change in enumerate(("video_digest", "timestamps_s")):
        index = place.INDEX.at(results, dataset="bench", shard="000000")
        rows = read_index(index)
        value = {"video_digest": "f" * 32, "timestamps_s": [0.0] * rows[0].n_frames}[change]
        object.__setattr__(rows[number], change, value)
    write_index(index, rows, {})
    chosen = place.SELECTIONS.at(results, benchmark="bench", selector="random", frames=2, seed=0)
    picked = read_selections(chosen)
    first = next(iter(picked))
    object.__setattr__(picked[first], "frame_indices", (0, 1))
    write_selections(chosen, picked, {"selector": "random", "seed": 0})
    found = survey(results, home, 2)
    told = {damage.file: damage.what for damage in found.outdated}
    assert "picked from other frames" in told["selections/bench/uniform/n2.s0.parquet"]
    assert "answers other frames" in told["answers/bench/tiny/random/n2.s0.parquet"]
    assert any("says otherwise than 000000.tar" in damage.what for damage in found.damage)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("store/frames/0123456789ab/bench/000000.tar", "is missing"),
        ("train/one/policy/model.safetensors", "is not what was written"),
        ("store/train/0123456789ab/ba9876543210/metrics.jsonl", "has lost lines"),
        ("store/train/0123456789ab/ba9876543210/step-00000006/policy.safetensors", "cannot be gone on from"),
        ("train/one/policy/SHA256SUMS", "is missing, and provenance.json describes it"),
        ("world/bench/even.mp4", "is missing, and frames/bench/000000.index.parquet was decoded from it"),
        ("selections/bench/uniform/cost.json", "is missing, and tables/table1.csv was made of it"),
    ],
)
@pytest.mark.fault("damaged input or result", "workflow", "`refocus check` misses files that others rest on")
def test_a_file_that_is_gone_is_missed(home, capsys, file, says):
    (home / "results" / file).unlink()
    status, text = run(home, capsys)
    assert status == 1 and says in text


def test_a_folder_in_the_place_of_a_table_is_no_table(home, capsys):
    table = home / "results/selections/bench/uniform/n2.s0.parquet"
    table.unlink()
    table.mkdir()
    status, text = run(home, capsys)
    assert status == 1 and "DAMAGED: selections/bench/uniform/n2.s0.parquet: is missing, and answers/" in text


def test_a_result_that_nothing_rests_on_is_said_to_be_gone(home, capsys):
    """Who throws away a table has not damaged the rest."""
    (home / "results" / "tables" / "table1.csv").unlink()
    status, text = run(home, capsys, "--json")
    assert status == 0 and json.loads(text)["gone"] == ["tables/table1.csv"]
    assert "gone, with nothing made of them here: 1\n  tables/table1.csv" in run(home, capsys)[1]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.fault("damaged input or result", "workflow", "`refocus check` finds files that are cut off")
def test_a_file_that_is_cut_off_is_damaged(home, share):
    results = home / "results"
    parts, _ = _parts(results, sorted(_files(results)))
    for part in parts:
        for name in part.files:
            if name not in check(part).bare:
                data = (results / name).read_bytes()
                (results / name).write_bytes(data[: int(share * len(data))])
                assert check(part).damage, name
                (results / name).write_bytes(data)


def test_files_of_nobody_and_of_killed_runs_are_told_apart(home, capsys):
    results = home / "results"
    (results / "notes.txt").write_text("mine")
    (results / "qa" / ".bench.parquet.0a1b2c3d").write_text("half")
    status, text = run(home, capsys, "--json")
    found = json.loads(text)
    assert status == 0 and found["right"]
    assert found["unknown"] == ["notes.txt"] and found["left"] == ["qa/.bench.parquet.0a1b2c3d"]


def test_a_copy_without_its_jobs_elsewhere_is_compared_with_theirs(home, tmp_path, capsys):
    copy = shutil.copytree(home / "results", tmp_path / "archive" / "results")
    assert main(["check", str(copy), "--directory", str(home)]) == 0
    assert "or not all" not in capsys.readouterr().out
    (copy / "selections/bench/uniform/cost.json").write_text("{}")
    assert main(["check", str(copy), "--directory", str(home)]) == 1


def test_links_to_other_disks_are_followed(home, tmp_path, capsys):
    store = home / "results" / "store"
    store.rename(tmp_path / "disk")
    store.symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "round").symlink_to(tmp_path / "disk")
    status, text = run(home, capsys)
    assert status == 0 and "frames" in text
    flipped(next((tmp_path / "disk").rglob("*.tar")), random.Random(1))
    assert run(home, capsys)[0] == 1


def test_a_link_that_leads_nowhere_is_damaged_and_a_record_that_cannot_be_read_is_said(home, capsys):
    table = home / "results" / "qa" / "bench.parquet"
    table.unlink()
    table.symlink_to(home / "nowhere")
    record = next((home / ".snakemake" / "metadata").iterdir())
    record.write_text("{")
    status, text = run(home, capsys)
    assert status == 1 and "DAMAGED: qa/bench.parquet: " in text
    assert "or not all: " in text and "cannot be read" in text


def test_where_nothing_is_compared_the_status_says_so(tmp_path, capsys, caplog):
    (tmp_path / "results" / "logs").mkdir(parents=True)
    (tmp_path / "results" / "logs" / "tables.log").write_text("done")
    status, text = run(tmp_path, capsys)
    assert status == 1 and "nothing in it carries a digest" in text
    assert main(["check", str(tmp_path / "none")]) == 2
    assert main(["check", str(tmp_path), "--workers", "0"]) == 2
