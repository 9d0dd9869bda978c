"""Requests for a vLLM server: the picked frames and no others, at their true seconds."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from refocus.core.errors import RefocusError, UsageError
from refocus.select.exports import vllm
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import ExportSources, read_asked, read_picked
from refocus.select.selections import read_selections
from transformers.video_utils import VideoMetadata

from tests.support.exporting import write
from tests.support.videos import level


def requests(path):
    return {line["custom_id"]: line["body"] for line in map(json.loads, path.read_text().splitlines())}


def pictures(body):
    """The frames of a request, as the server decodes them."""
    url = body["messages"][-1]["content"][0]["video_url"]["url"]
    head, _, data = url.partition("base64,")
    assert head == "data:video/jpeg;"
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))) for part in data.split(",")]


def test_a_request_carries_the_frames_themselves_at_native_size(bench, table, tmp_path):
    write(bench, "vllm", table, tmp_path / "file")
    rows = read_selections(table)
    for qa_id, body in requests(tmp_path / "file").items():
        shown = pictures(body)
        assert {picture.shape for picture in shown} == {(64, 96, 3)}
        levels = [level(number) for number in rows[qa_id].frames_indices]
        assert [picture.mean() for picture in shown] == pytest.approx(levels, abs=4)


def test_a_request_keeps_the_server_from_sampling_cutting_and_counting_anew(bench, tmp_path):
    """do_sample_frames is false, num_frames is not the default of 32, the metadata are not those of a bare list."""
    table = bench.select("random", 16, tmp_path / "random")
    write(bench, "vllm", table, tmp_path / "file")
    for body in requests(tmp_path / "file").values():
        said = body["media_io_kwargs"]["video"]
        assert said["do_sample_frames"] is False and said["num_frames"] == len(said["frames_indices"]) == 16
        assert said["total_num_frames"] > said["frames_indices"][-1] and said["frames_indices"] != list(range(16))
        assert all(type(number) is int for number in said["frames_indices"])


def test_the_model_is_told_the_true_seconds_also_where_frames_come_at_an_uneven_rate(bench, table, tmp_path):
    """transformers, which the server's processors come from, takes frames_indices / fps for a frame's time."""
    write(bench, "vllm", table, tmp_path / "file")
    rows = read_selections(table)
    for qa_id, body in requests(tmp_path / "file").items():
        said = body["media_io_kwargs"]["video"]
        told = VideoMetadata(**{name: said[name] for name in ("frames_indices", "total_num_frames", "fps", "duration")})
        assert told.timestamps == pytest.approx(rows[qa_id].timestamps_s, abs=0.02)
        assert said["duration"] >= rows[qa_id].timestamps_s[-1]
        if rows[qa_id].file.video != "uneven.mkv":
            assert tuple(said["frames_indices"]) == rows[qa_id].frames_indices


def test_frames_of_several_sizes_are_refused_as_a_request_holds_one_video(bench, table, tmp_path, monkeypatch):
    def pictures(video, times_s):
        return [np.zeros((8, 8 + place, 3), np.uint8) for place in range(len(times_s))]

    monkeypatch.setattr(vllm, "pictures_at", pictures)
    with pytest.raises(RefocusError, match=r"even\.mp4: the picked frames are of several sizes"):
        write(bench, "vllm", table, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_requests_need_videos_and_a_model(bench, table, tmp_path):
    tables = read_picked([table], [read_asked(bench.qa)])
    for sources in (ExportSources(videos=bench.videos), ExportSources(served_model="m")):
        with pytest.raises(UsageError, match="name the folder of the videos"):
            FORMATS["vllm"].write(tables, sources, tmp_path / "file")
