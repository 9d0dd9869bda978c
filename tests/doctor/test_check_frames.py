"""The doctor compares a sample of the stored frames with their videos."""

import numpy as np
import pytest
import yaml
from refocus.cli.main import main
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.config.overlay import check
from refocus.core.results_folder import INDEX
from refocus.doctor.check_frames import examine_frames
from refocus.frames.build_shard import build_shard
from refocus.frames.encoding import jpeg
from refocus.frames.index import read_index
from refocus.qa.clips import ClipRow
from refocus.qa.records import clip_id

from tests.support.videos import constant, moving, write_video

NAMES = ["NExTVideo/0.mp4", "NExTVideo/1.mp4", "NExTVideo/2.mp4"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory with a data set of three videos, its frames in two shards, and their configuration."""
    monkeypatch.chdir(tmp_path)
    rows = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    for name in NAMES:
        write_video(tmp_path / "data" / name, constant(3.0), (80, 96), moving(90))
        rows.append(f"{name[10:-4]},9,9,9,what is it,1,0,CW,a,b,c,d,e")
    (tmp_path / "data/train.csv").write_text("\n".join(rows) + "\n")
    settings = DecodeSettings(size=64, runtime=DecodeRuntime(workers=1))
    for shard, names in enumerate((NAMES[:2], NAMES[2:])):
        clips = [ClipRow(clip_id("nextqa", name, None, None), name, None, None, shard) for name in names]
        index = INDEX.at("results", dataset="nextqa", shard=f"{shard:06d}")
        index.parent.mkdir(parents=True, exist_ok=True)
        build_shard(clips, tmp_path / "data", tar_of(shard), index, settings)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


CONFIG = {
    "use": {"datasets": ["nextqa"], "benchmarks": [], "selectors": [], "lmms": [], "runs": []},
    "lmms": {"tiny": {"path": "model"}},
    "reward": {"model": "tiny"},
    "train": {"reward_model": "tiny"},
    "datasets": {"nextqa": {"annotations": ["data/train.csv"], "videos": "data", "shards": 2}},
}


def tar_of(shard):
    """A shard's frames, in the store."""
    from pathlib import Path

    path = Path(f"results/store/{shard:06d}.tar")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def overwrite(shard, frame, data):
    """Puts other bytes into the place of a stored frame."""
    row = read_index(INDEX.at("results", dataset="nextqa", shard=f"{shard:06d}"))[0]
    held = bytearray(tar_of(shard).read_bytes())
    assert len(data) <= row.sizes[frame]
    held[row.offsets[frame] : row.offsets[frame] + len(data)] = data
    tar_of(shard).write_bytes(held)


def found(sample=100):
    return {(one.level, one.kind): one.text for one in examine_frames(check(CONFIG), "nextqa", sample)}


def test_sound_frames(home):
    """A note says how many were compared; a sample goes through all shards; without a number none is taken."""
    assert found() == {("note", "frames_compared"): "36 stored frames of 3 clips were compared with a plain decode"}
    assert found(2) == {("note", "frames_compared"): "24 stored frames of 2 clips were compared with a plain decode"}
    assert found(0) == {}


def test_where_no_frames_are_stored(home):
    for shard in range(2):
        INDEX.at("results", dataset="nextqa", shard=f"{shard:06d}").unlink()
    assert found() == {}


@pytest.mark.parametrize("damage", ["another picture", "no picture", "cut off"])
def test_a_corrupted_shard(home, damage, capsys):
    """Named, with the command that names all; status 1."""
    if damage == "cut off":
        tar_of(1).write_bytes(tar_of(1).read_bytes()[:3000])
    else:
        overwrite(1, 5, jpeg(np.full((64, 64, 3), 90, np.uint8), 90) if damage == "another picture" else bytes(400))
    errors = [text for (level, _), text in found().items() if level == "error"]
    assert len(errors) == 1 and "00000" in errors[0]
    if damage == "another picture":
        assert f"{clip_id('nextqa', NAMES[2], None, None)} ({NAMES[2]}): stored: " in errors[0]
    assert main(["doctor", "--base", "a.yaml", "--sample", "100"]) == 1
    out = capsys.readouterr().out
    assert out.count(errors[0]) == 1 and "FAILS: nextqa: 1 error above" in out
    assert main(["doctor", "--base", "a.yaml"]) in (0, 1)
    assert "plain decode" not in capsys.readouterr().out


def test_another_video_is_no_fault_of_the_shard(home):
    """It may have been removed, or fetched anew; a warning says so."""
    (home / "data" / NAMES[2]).unlink()
    assert set(found()) == {("warning", "frames_of_old"), ("note", "frames_compared")}


def test_a_wrong_number(home):
    assert main(["doctor", "--base", "a.yaml", "--sample", "-1"]) == 2
