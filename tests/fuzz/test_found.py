"""Inputs that fuzzing, or reading the code for it, found to end in something else than one line."""

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.config.decode import DecodeSettings
from refocus.core.files import write_table
from refocus.frames.index import IndexRow, write_index

from tests.fuzz.harness import judge, limited
from tests.fuzz.parsers import PARSERS
from tests.fuzz.samples import ROWS
from tests.fuzz.settings import VALUES
from tests.fuzz.stored import CLIP, JSONL, METADATA, VLLM

LARGE = 10**400  # fits no float
DEEP = "[" * 400 + "]" * 400
BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 8)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def ours(write: Any) -> Any:
    """The bytes that a writer of ours leaves; made in the test's own folder."""
    return lambda folder: (write(folder / "made.parquet"), (folder / "made.parquet").read_bytes())[1]


def index(**changes: Any) -> Any:
    row = dict(
        clip_id=CLIP, status="ok", error=None, n_frames=1, timestamps_s=[0.0], source_frames=[0], tar="000000.tar"
    )
    row |= {"offsets": [512], "sizes": [9], **changes}
    return ours(lambda path: write_index(path, [IndexRow(**row)], DecodeSettings(size=32).identity()))


def clip(**changes: Any) -> bytes:
    return json.dumps({**json.loads(METADATA.to_json()), **changes}, sort_keys=True, separators=(",", ":")).encode()


def lines(*rows: Any) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


FOUND: list[tuple[str, Any]] = [
    ("CSV annotations", b"\xff\xfev\0i"),  # UTF-16 that is cut
    ("CSV annotations", b"\xff\xfea"),
    ("CSV annotations", b'"' + b"x" * (1 << 25) + b'"\n'),  # a header of one cell
    ("JSON lines", DEEP.encode()),
    ("JSON annotations", f'{{"x": {DEEP}}}'.encode()),
    ("format jsonl", lines({**ROWS["jsonl"], "start": LARGE})),
    ("format jsonl", lines({**ROWS["jsonl"], "options": [LARGE, 1]})),
    ("format jsonl", lines({**ROWS["jsonl"], "start": "9" * 5000 + ":00"})),
    ("format jsonl", lines({**ROWS["jsonl"], "question": "x" * 70000})),
    (
        "format perceptiontest",
        json.dumps({"v": {"metadata": {"frame_rate": LARGE}, "mc_question": [ROWS["perceptiontest"]]}}).encode(),
    ),
    ("parquet annotations", parquet(x=pa.array([2**52], pa.timestamp("s")))),
    ("parquet annotations", parquet(x=pa.array([2**31 - 1], pa.date32()))),
    ("parquet annotations", parquet(abcd=["x"]).replace(b"abcd", b"ab\xff\xfe")),  # no names of columns
    ("lists, times and numbers in cells", LARGE),
    ("lists, times and numbers in cells", "9" * 400 + ":00"),
    ("lists, times and numbers in cells", "[" * 60000),
    ("questions of select --questions", lines({"video": "n" * 300, "question": "what?"})),
    ("questions of select --questions", lines({"video": "a\nerror: b", "question": "what?"})),
    ("AV1 packets", b"\x0a" + b"\xff" * 2_000_000),  # a size without end
    ("metadata of stored clips", clip(timestamps=["a", "b", "c"])),
    ("metadata of stored clips", clip(frames="video", offsets=["a"] * 3, sizes=[1, 2, 3])),
    ("metadata of stored clips", DEEP.encode()),
    ("indexes of shards", index(sizes=[2**31 - 1])),  # two gigabytes to read of a small file
    ("indexes of shards", index(offsets=[])),
    ("indexes of shards", index(offsets=[-5])),
    ("indexes of shards", index(tar="../../../../../../etc/passwd")),
    ("indexes of shards", index(tar="a\0.tar")),
    (
        "tables of selections",
        ours(
            lambda path: write_table(
                path,
                pa.table(
                    {
                        "qa_id": ["x"],
                        **dict.fromkeys(("frame_indices", "pick_order", "timestamps_s", "score", "flags"), pa.nulls(1)),
                    }
                ),
                "select",
            )
        ),
    ),
    ("import jsonl", lines({**JSONL[0], "qa_id": []})),
    ("import jsonl", lines({**JSONL[0], "frames_indices": [LARGE]})),
    ("import aks", json.dumps([[LARGE], [0]]).encode()),
    ("import vllm", lines({**VLLM[0], "custom_id": {}})),
    ("import bolt", json.dumps({"a": [{"question_id": "a\nb", "question": "x" * 9000, "frames": []}]}).encode()),
    ("configurations", BOMB.encode()),  # a billion values in 500 bytes
    ("configurations", b"use: &a [*a]"),
    ("configurations", b"use: 2001-99-99"),
    ("configurations", b"use: [\n  {"),
    ("configurations", b"\xff\xfe"),
    ("configurations", VALUES.replace('"jsonl"', '"\\ud800"').encode()),
    ("settings in flags", DEEP.encode()),
    ("config.json of policies", b'{"width": "a"}'),
    ("config.json of policies", b'{"head_dim": 0}'),
    ("config.json of policies", b'{"layers": 1000000000}'),
    ("config.json of policies", b'{"vision": {"image_size": 0}}'),
    ("config.json of policies", b'{"d_model": 16, "n_layer": 2, "vocab_size": 32, "ssm_cfg": [1]}'),
    ("config.json of policies", b'{"x": {"__float__": []}}'),
    ("selection.json", b'{"n_frames": "x", "fps": 4, "max_frames": 64, "size": 32, "resize": "squash"}'),
    ("selection.json", b'{"n_frames": 2, "fps": [], "max_frames": 64, "size": 32, "resize": "squash"}'),
    ("SHA256SUMS", b"0  " + b"n" * 300),
    ("weights and their index", (b'{"weight_map": {"a": []}}', b"")),
    ("weights and their index", (b'{"weight_map": [1]}', b"")),
    ("weights and their index", (b'{"weight_map": {"a": "\\ud800"}}', b"")),
    ("weights and their index", (b"{}", (2).to_bytes(8, "little") + b"[]" + bytes(99))),
    ("metrics.jsonl", b"[1]"),
    ("metrics.jsonl", DEEP.encode()),
    ("open answers in replies", ("9" * 20000, "1")),  # took minutes
    ("arrays as videos", (5, 1, None)),
    ("arrays as videos", (np.zeros(()), 1, None)),
    ("arrays as videos", (np.zeros((2, 4, 4, 3), np.uint8), LARGE, None)),
    ("arrays as videos", (np.zeros((2, 4, 4, 3), np.uint8), 1e-320, None)),
    ("arrays as videos", (np.zeros((2, 4, 4, 3), np.uint8), None, [None])),
    ("arrays as videos", (np.zeros((2, 0, 4, 3), np.uint8), 1, None)),
]
PASSED_OVER: list[tuple[str, Any]] = [  # the video is decoded again, the kind is not known, the number is left out
    ("shared sources.json", DEEP.encode()),
    ("config.json of policies", b'{"model_type": []}'),
    ("metrics.jsonl", json.dumps({"step": 0, "reward/mean": LARGE}).encode()),
]


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [(*one, True) for one in FOUND] + [(*one, False) for one in PASSED_OVER],
    ids=[f"{number}-{name}" for number, (name, _) in enumerate(FOUND + PASSED_OVER)],
)
def test_it_is_refused_in_one_line_or_passed_over(name, value, refused, tmp_path):
    [parser] = [one for one in PARSERS if one.name == name]
    folder = tmp_path / "parser"
    folder.mkdir()
    _, parse = parser.build(folder)
    value = value(tmp_path) if callable(value) else value
    with limited(folder):
        reason = judge(parse, value)
    assert (reason is not None) == refused
