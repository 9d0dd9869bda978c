"""The doctor: what it finds in a data root made to be ill, what that costs, and when it says stop."""

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from refocus.cli import main as cli
from refocus.config.lmm import MODEL_TYPES
from refocus.config.overlay import check
from refocus.core.errors import UsageError
from refocus.doctor.diagnose import diagnose
from refocus.doctor.sample_headers import SMALL, choose

GOOD = struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\2\0") + struct.pack(">I4s", 8, b"moov")
NUMBER = 20  # videos of the data set, two questions each


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory with a healthy NExT-QA; `save` writes it, `config` holds the configuration."""
    monkeypatch.chdir(tmp_path)
    rows = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    for number in range(NUMBER):
        place = tmp_path / f"data/NExTVideo/{number}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(GOOD)
        rows += [f"{number},9,9,9,what is {qid},{qid},{qid},CW,a,b,c,d,e" for qid in range(2)]
    (tmp_path / "data/train.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def config(**changes):
    values = {
        "use": {"datasets": ["nextqa"]},
        "datasets": {"nextqa": {"annotations": ["data/train.csv"], "videos": "data"}},
        "lmms": {"tiny": {"path": "model"}},
        "reward": {"model": "tiny"},
        "train": {"reward_model": "tiny"},
        "doctor": {"max_missing_share": 0.2},
    }
    return {**values, **changes}


def visit(probe=None, **changes):
    """Report of `nextqa`, and everything."""
    found = diagnose(check(config(**changes)), probe)
    return found.sources[0], found


def kinds(report):
    return {found.kind: (found.files, found.questions) for found in report.findings}


def test_a_healthy_source_has_no_findings(home):
    report, _ = visit()
    assert (report.questions, report.clips, report.videos, report.probed, report.lost) == (40, 20, 20, 20, 0)
    assert not report.findings and not report.fails


def test_every_illness_is_named_with_what_it_costs(home):
    ill = {
        "0": None,
        "1": b"",
        "2": b"<!DOCTYPE html><html>Sign in</html>",
        "3": b'{"error": "quota exceeded"}',
        "4": GOOD[:16] + struct.pack(">I4s", 900, b"mdat") + b"\0" * 50,
        "5": b"PK\x03\x04" + b"\0" * 90,
        "6": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "7": b"\xff\x00\xfe" * 90,
        "8": GOOD + struct.pack(">I4s", 900, b"mdat") + b"\0" * 50,
    }
    for name, data in ill.items():
        file = home / f"data/NExTVideo/{name}.mp4"
        file.write_bytes(data) if data is not None else file.unlink()
    report, found = visit()
    expected = {"missing": (1, 2), "empty": (1, 2), "page": (2, 4), "no_moov": (1, 2), "archive": (1, 2)}
    expected |= {"pointer": (1, 2), "unknown": (1, 2), "cut_off": (1, 0)}
    assert kinds(report) == expected
    assert (report.lost, report.expected) == (16, 0)
    assert report.lost_share == 0.4 and report.fails
    assert any("NExTVideo/0.mp4" in line for line in found.lines())


@pytest.mark.parametrize(
    ("limits", "fails"), [({}, True), ({"max_missing_share": 0.1}, False), ({"max_missing_share": 0.09}, True)]
)
def test_a_source_may_have_its_own_limit(home, limits, fails):
    for number in range(2):
        (home / f"data/NExTVideo/{number}.mp4").unlink()
    report, _ = visit(doctor={"max_missing_share": 0.05, "sources": {"nextqa": limits}})
    assert bool(report.fails) == fails


@pytest.mark.parametrize(
    ("limits", "fails"), [({}, False), ({"max_missing_share": 0.09}, True), ({"max_rejected_share": 0.0}, False)]
)
def test_what_decoding_tolerates_of_a_source_is_no_illness(home, limits, fails):
    for number in range(2):
        (home / f"data/NExTVideo/{number}.mp4").unlink()
    entry = {**config()["datasets"]["nextqa"], "max_failure_rate": 0.1}
    report, _ = visit(datasets={"nextqa": entry}, doctor={"max_missing_share": 0.05, "sources": {"nextqa": limits}})
    assert bool(report.fails) == fails


def test_limits_of_a_source_that_is_not_there_are_refused(home):
    with pytest.raises(UsageError, match=r"doctor\.sources"):
        check(config(doctor={"sources": {"nexqta": {}}}))


def test_rejected_rows_count_by_reason_and_have_their_limit(home):
    with (home / "data/train.csv").open("a") as table:
        table.write("0,9,9,9,,1,7,CW,a,b,c,d,e\n0,9,9,9,what,9,8,CW,a,b,c,d,e\n0,9,9,9,what,x,9,CW,a,b,c,d,e\n")
    report, _ = visit()
    assert {"rejected:empty_question", "rejected:answer_out_of_range", "rejected:unparsable_answer"} == set(
        kinds(report)
    )
    assert report.rejected_share == 3 / 43 and "max_rejected_share" in report.fails[0]
    assert not visit(doctor={"max_rejected_share": 0.1})[0].fails


def test_a_sample_speaks_for_the_videos_that_were_not_read(home):
    """Half of the large videos are pages: so much is expected of the others, and the small ones are always read."""
    for number in range(NUMBER):
        large = b"<html>" + b" " * SMALL if number % 2 else GOOD + b"\0" * SMALL
        (home / f"data/NExTVideo/{number}.mp4").write_bytes(large if number else b"<html>")
    report, _ = visit(probe=8)
    seen = kinds(report)["page"][1] - 2
    assert report.probed == 9 and report.lost == seen + 2
    assert report.expected == round(22 * seen / 16)
    exact, _ = visit(probe=None)
    assert (exact.lost, exact.expected, exact.probed) == (22, 0, 20)


def test_a_sample_is_always_the_same_and_grows():
    sizes = {f"{number}.mp4": SMALL for number in range(500)} | {"small.mp4": SMALL - 1}
    small, sample = choose(sizes, 50)
    assert small == ["small.mp4"] and len(sample) == 50
    assert set(sample) <= set(choose(dict(reversed(sizes.items())), 60)[1])


def test_nothing_large_is_read_with_a_probe_of_zero(home):
    for number in range(NUMBER):
        (home / f"data/NExTVideo/{number}.mp4").write_bytes(b"<html>" + b" " * SMALL)
    report, _ = visit(probe=0)
    assert (report.probed, report.lost, report.expected) == (0, 0, 0)


def test_archives_tell_what_was_not_unpacked(home):
    videos = home / "data/NExTVideo"
    with zipfile.ZipFile(home / "data/NExTVideo.zip", "w") as archive:
        for number in range(NUMBER):
            archive.writestr(f"NExTVideo/{number}.mp4", GOOD)
        archive.writestr("__MACOSX/NExTVideo/._0.mp4", b"x")
    videos.joinpath("3.mp4").unlink()
    videos.joinpath("4.mp4").write_bytes(GOOD[:-4])
    (home / "data/part2.zip").write_bytes((home / "data/NExTVideo.zip").read_bytes()[:-30])
    (home / "data/videos.tar.part.aa").write_bytes(b"x")
    report, _ = visit()
    found = kinds(report)
    assert found["missing"] == (1, 2) and found["short"] == (1, 2)
    assert found["packed"][0] == 1 and found["archive_broken"][0] == 1 and found["archive_closed"][0] == 1
    assert report.lost == 4


def test_equal_names_in_two_folders_are_not_taken_for_each_other(home):
    other = home / "data/other/NExTVideo/5.mp4"
    other.parent.mkdir(parents=True)
    other.write_bytes(GOOD + b"longer")
    with zipfile.ZipFile(home / "data/other/videos.zip", "w") as archive:
        archive.writestr("NExTVideo/5.mp4", GOOD + b"longer")
    assert not visit()[0].findings


def test_a_folder_with_two_names_is_looked_into_under_both(home):
    (home / "data/NExTVideo").rename(home / "data/ARealName")
    (home / "data/NExTVideo").symlink_to("ARealName")
    (home / "data/ARealName/4.mp4").write_bytes(b"")
    report, _ = visit()
    assert kinds(report) == {"empty": (1, 2)} and report.probed == 19


def test_what_lies_around_is_listed(home):
    for name in ("__MACOSX/NExTVideo/0.mp4", "NExTVideo/._1.mp4", "NExTVideo/9.mp4.part", ".cache/x.incomplete"):
        (home / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "data" / name).write_bytes(b"x")
    (home / "data/NExTVideo/gone.mp4").symlink_to(home / "nowhere")
    (home / "data/loop").symlink_to(home / "data")
    report, _ = visit()
    assert kinds(report) == {"litter": (2, 0), "partial": (2, 0), "dangling": (1, 0)}
    assert not report.fails


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "are missing"),
        ("", "are empty"),
        ("<!DOCTYPE html>", "are web pages"),
        ("version https://git-lfs.github.com/spec/v1", "are Git LFS pointers"),
        ("video,question\n1,2\n", "no column"),
    ],
)
def test_annotation_files_that_cannot_be_read_end_the_visit(home, content, said):
    file = home / "data/train.csv"
    file.unlink() if content is None else file.write_text(content)
    report, found = visit()
    assert said in report.fails[0] and "train.csv" in report.fails[0]
    assert found.fails


def test_a_source_that_an_option_empties_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [{"video_name": "a", "question": "where", "question_id": "v_a_1"}]
    (tmp_path / "val_q.json").write_text(json.dumps(asked))
    (tmp_path / "val_a.json").write_text(json.dumps([{"answer": "here", "type": 6, "question_id": "v_a_1"}]))
    entry = {
        "format": "activitynetqa",
        "annotations": ["val_q.json"],
        "videos": ".",
        "adapter_options": {"convert": "drop"},
    }
    report, _ = visit(datasets={"nextqa": entry})
    assert not report.fails and report.rejected == 0
    assert [found.level for found in report.findings] == ["note", "note"]


def test_a_folder_that_is_not_there_ends_the_visit(home):
    report, _ = visit(datasets={"nextqa": {"annotations": ["data/train.csv"], "videos": "dat"}})
    assert "the videos folder dat does not exist" in report.fails[0]


def test_too_few_shards_name_the_number(home):
    report, _ = visit(ingest={"clips_per_shard": 3})
    assert "20 clips need 7 shards of 3, there are 1" in report.fails[0]
    entry = {"annotations": ["data/train.csv"], "videos": "data", "shards": 7}
    assert not visit(ingest={"clips_per_shard": 3}, datasets={"nextqa": entry})[0].fails


def test_a_rendered_source_need_not_be_there_yet(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((repository / "config.yaml").read_text())
    found = diagnose(check(values), 0)
    assert [kinds(report) for report in found.sources] == [{"world": (0, 0)}] * 4


def safetensors(path, cut=0):
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    data = struct.pack("<Q", len(head)) + head + b"\0" * 8
    path.write_bytes(data[: len(data) - cut])


def test_an_lmm_of_an_unsupported_kind_is_refused_with_the_list_of_those_that_are(home):
    (home / "model").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (home / "model" / name).write_text("{}")
    safetensors(home / "model" / "model.safetensors")
    for kind in MODEL_TYPES:
        (home / "model" / "config.json").write_text(json.dumps({"model_type": kind}))
        assert not visit()[1].models
    (home / "model" / "config.json").write_text(json.dumps({"model_type": "video_llama"}))
    (problem,) = visit()[1].models
    assert problem.level == "error" and "'video_llama' is not a supported LMM" in problem.text
    assert all(kind in problem.text for kind in MODEL_TYPES)
    (home / "model" / "config.json").write_text("{")
    assert "not JSON" in visit()[1].models[0].text


def test_models_must_be_whole(home):
    model = home / "model"
    assert any("neither a folder" in line or "no such folder" in line for line in visit()[1].lines())
    model.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (model / name).write_text("{}")
    assert "no weights" in visit()[1].models[0].text
    (model / "pytorch_model.bin").write_bytes(b"x")
    assert "pickled" in visit()[1].models[0].text
    safetensors(model / "model.safetensors")
    assert not visit()[1].models
    safetensors(model / "model.safetensors", cut=3)
    assert "and should have" in visit()[1].models[0].text
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.st"}}))
    safetensors(model / "1.safetensors")
    (problem,) = visit()[1].models
    assert "2.st is missing" in problem.text and problem.level == "error"


def test_a_policy_may_come_without_a_tokenizer(home):
    """The public bases share one; any other model needs its own, a vision tower none."""
    for name in ("start", "siglip", "model"):
        (home / name).mkdir()
        (home / name / "config.json").write_text("{}")
        safetensors(home / name / "model.safetensors")
    use = {"datasets": ["nextqa"], "runs": ["demo"]}
    models = visit(use=use, runs={"demo": {}}, policy={"start": "start", "vision": "siglip"})[1].models
    found = {Path(problem.text.split()[0]).name: problem for problem in models}
    assert found.keys() == {"start", "model"}
    assert found["start"].level == "warning" and "gpt-neox-20b" in found["start"].text
    assert found["model"].level == "error"


@pytest.mark.parametrize(("offline", "level"), [("0", "warning"), ("1", "error")])
def test_a_hub_id_that_is_not_cached_is_said(home, monkeypatch, offline, level):
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    (found,) = visit(lmms={"tiny": {"path": "nobody/nothing-at-all"}})[1].models
    assert found.level == level and "hf download nobody/nothing-at-all" in found.fix


def test_the_command_says_it_all_and_ends_with_its_status(home, capsys):
    (home / "model").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (home / "model" / name).write_text("{}")
    safetensors(home / "model/model.safetensors")
    (home / "c.yaml").write_text(yaml.safe_dump(config()))
    words = ["doctor", "--base", "c.yaml", "--probe", "all"]
    assert cli.main(words) == 0
    assert "nothing stands in the way" in capsys.readouterr().out
    for number in range(9):
        (home / f"data/NExTVideo/{number}.mp4").unlink()
    (home / "data/NExTVideo/\udcff.mp4").write_bytes(b"")
    assert cli.main([*words, "--json"]) == 1
    plain = json.loads(capsys.readouterr().out)
    assert plain["ok"] is False and "max_missing_share" in plain["fails"][0]
    assert plain["sources"][0]["lost"] == 18 and plain["sources"][0]["lost_share"] == 18 / 40
    assert cli.main([*words[:-1], "many"]) == 2


def test_the_doctor_never_loads_torch(home):
    (home / "c.yaml").write_text(yaml.safe_dump(config(lmms={"tiny": {"path": "nobody/nothing"}})))
    code = "import sys; from refocus.cli.main import main; main(['doctor', '--base', 'c.yaml']);"
    code += "sys.exit(', '.join({'torch', 'transformers'} & set(sys.modules)) or 0)"
    package = str(Path(cli.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": package})
    assert done.returncode == 0, done.stderr


def test_files_of_other_programs_that_are_missing_are_named(home):
    (home / "asked.csv").write_text("video,question,option_a,option_b,answer,id\n0.mp4,what?,a,b,a,1\n")
    (home / "4.json").write_text("[]")
    changes = {
        "use": {"benchmarks": ["mine"], "selectors": ["uniform", "imported/aks"]},
        "benchmarks": {"mine": {"format": "csv", "annotations": ["asked.csv"], "videos": "data/NExTVideo"}},
        "imports": {"aks": {"format": "aks", "files": {"mine": "{frames}.json"}}},
        "answer": {"n_frames": [4, 8]},
        "tables": {"n_frames": 4},
    }
    report = diagnose(check(config(**changes)), 0).sources[0]
    assert [found.text for found in report.findings if found.kind == "imports"] == ["8.json: no such file"]
    assert "8.json: no such file" in report.fails
