"""What stages keep and hand on, and what other programs picked: shards, indexes, tables, imports."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from refocus.config.decode import DecodeSettings
from refocus.core.files import write_table
from refocus.frames.clip_metadata import ClipMetadata, StoredForm
from refocus.frames.decode_clip import DecodeJob, StoredClip
from refocus.frames.encoding import DamagedFrames, checksums, jpeg, pictures
from refocus.frames.frame_store import FrameStore
from refocus.frames.h264 import H264Error, H264Reader, H264Writer
from refocus.frames.index import read_index, sampling, write_index
from refocus.frames.shard_reader import ShardReader, metadata_before
from refocus.frames.shared_clips import shared_clips
from refocus.frames.tar_writer import TarWriter
from refocus.qa.clips import ClipRow
from refocus.qa.records import Question, read_questions, write_questions
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.imported import imported_rows
from refocus.select.exports.picked import Asked, ExportSources
from refocus.select.picks import Selection, VideoFile
from refocus.select.selections import read_selections, write_selections

from tests.fuzz.annotations import from_pool
from tests.fuzz.harness import Finding, Make, Parse, Parser, put
from tests.fuzz.mutation import changed_bytes, changed_json, changed_lines

CLIP = "0123456789abcdef"
METADATA = ClipMetadata(
    clip_id=CLIP,
    video_path="a.mp4",
    start_s=None,
    end_s=None,
    fps=30.0,
    duration_s=1.0,
    size=32,
    timestamps_s=(0.0, 0.25, 0.5),
    source_frames=(0, 7, 15),
    error=None,
    source_bytes=99,
    source_sha256="0" * 32,
    decode="0" * 12,
    form=StoredForm("jpeg"),
)
QUESTIONS = tuple(
    Question(
        f"{number:016x}",
        "bench",
        "test",
        CLIP,
        "a.mp4",
        None,
        None,
        f"what {number}?",
        ("x", "y"),
        0,
        "x",
        "",
        str(number),
        (),
    )
    for number in range(2)
)
PICKS = [0, 7]


def stored() -> StoredClip:
    """A clip of three frames with its checksums."""
    files = [jpeg(np.full((32, 32, 3), 50 * number, np.uint8), 90) for number in range(3)]
    return StoredClip(replace(METADATA, checksums=tuple(checksums(METADATA, files))), files)


def shard() -> bytes:
    """A tar with one clip."""
    sink = io.BytesIO()
    writer = TarWriter(sink)
    for name, content in stored().members():
        writer.add(name, content)
    writer.close()
    return sink.getvalue()


def _shard(folder: Path) -> tuple[Make, Parse]:
    path, sample = folder / "000000.tar", shard()

    def parse(content: bytes) -> str | None:
        put(path, content)
        reader = ShardReader(path)
        for clip in reader.order():
            row = reader.row(clip, path.name)
            reader.intact(clip)
            if row.offsets:
                metadata_before(path, clip, row.offsets[0], row.n_frames)
        return None if len(reader) and reader.whole else "not whole"

    return lambda random: changed_bytes(random, sample), parse


def _metadata(folder: Path) -> tuple[Make, Parse]:
    video = replace(METADATA, form=StoredForm("video", (0, 0, 9), (5, 9, 4)))
    samples = [stored().metadata.to_json().decode(), METADATA.to_json().decode(), video.to_json().decode()]

    def make(random: Random) -> bytes:
        data = changed_json(random, samples)
        try:
            return json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return data

    def parse(content: bytes) -> str | None:
        try:
            found = ClipMetadata.from_json(content)
        except ValueError as error:
            return str(error)
        found.frame_ranges([(512, 10)] * len(found.member_names))
        return None

    return make, parse


def _sources(folder: Path) -> tuple[Make, Parse]:
    other = folder / "other"
    other.mkdir()
    (other / "000000.tar").write_bytes(shard())
    (folder / "a.mp4").write_bytes(b"x" * 99)
    job = DecodeJob(ClipRow(CLIP, "a.mp4", None, None, 0), folder / "a.mp4", DecodeSettings(size=32))
    samples = [json.dumps([[99, "0" * 32, None, None, CLIP], [5, "1" * 32, 0.5, 2, "f" * 16]])]

    def parse(content: bytes) -> str | None:
        put(other / "000000.sources.json", content)
        shared_clips([job], folder, folder / "mine" / "000000.tar")
        return None

    return lambda random: changed_json(random, samples), parse


def _index(folder: Path) -> tuple[Make, Parse]:
    (folder / "000000.tar").write_bytes(shard())
    row = ShardReader(folder / "000000.tar").row(CLIP, "000000.tar")
    pool, path = [], folder / "000000.index.parquet"
    rows = [row, replace(row, offsets=[0, 1, 2]), replace(row, sizes=[2**31 - 1] * 3), replace(row, n_frames=9)]
    rows += [
        replace(row, offsets=[], sizes=[]),
        replace(row, tar="../../../etc/passwd", checksums=[]),
        replace(row, n_frames=-1),
    ]
    rows += [
        replace(row, checksums=[1]),
        replace(row, offsets=[-5, 2**62, 0]),
        replace(row, tar="a\0b"),
        replace(row, tar=None),
    ]
    rows += [
        replace(row, sizes=[-1, 0, 1], checksums=[]),
        replace(row, clip_id=None),
        replace(row, offsets=None, sizes=None),
    ]
    for one in rows:
        write_index(path, [one], DecodeSettings(size=32).identity())
        pool.append(path.read_bytes())
    write_table(path, pa.table({"clip_id": ["x"]}), "decode", {"fps": "x"})
    pool.append(path.read_bytes())

    def parse(content: bytes) -> str | None:
        put(path, content)
        read_index(path)
        sampling([path])
        store = FrameStore.open([path])
        for clip in store.clips():
            store.record(clip)
            store.images(clip)
            store.metadata(clip)
        return None

    return lambda random: from_pool(random, pool), parse


def _frames(folder: Path) -> tuple[Make, Parse]:
    """The bytes that a frame is decoded from: a JPEG, or a group of an H.264 video."""
    writer = H264Writer(4.0, 23, 4)
    for number in range(4):
        writer.add(np.full((32, 32, 3), 50 * number, np.uint8))
    video, offsets, sizes = writer.finish()
    group = video[offsets[0] : offsets[0] + sizes[3]]
    picture = stored().files[1]

    def parse(content: bytes) -> str | None:
        try:
            for one in pictures(content, offsets, sizes, [0, 3]):
                if one.nbytes > 1 << 28:
                    raise Finding(f"a picture of {one.nbytes} bytes")
            list(H264Reader().frames(content, sizes[:4], [0, 3]))
        except (DamagedFrames, H264Error) as error:
            return str(error)
        return None

    return lambda random: changed_bytes(random, random.choice((picture, group))), parse


def _table(write: Callable[[Path], list[Any]], read: Callable[[Path], Any]) -> Callable[[Path], tuple[Make, Parse]]:
    """One of our tables; write: makes some of them, one after the other."""

    def build(folder: Path) -> tuple[Make, Parse]:
        path, pool = folder / "table.parquet", []
        for one in write(path):
            one()
            pool.append(path.read_bytes())

        def parse(content: bytes) -> str | None:
            put(path, content)
            read(path)
            return None

        return lambda random: from_pool(random, pool), parse

    return build


def _question_tables(path: Path) -> list[Any]:
    hollow = pa.table({name: pa.nulls(1) for name in ("qa_id", *Question.__dataclass_fields__)})
    return [
        lambda: write_questions(path, QUESTIONS, "ingest", {"format": "csv"}),
        lambda: write_table(path, hollow, "ingest"),
        lambda: write_table(path, pa.table({"qa_id": [1]}), "ingest"),
    ]


def _selection_tables(path: Path) -> list[Any]:
    row = Selection((0, 1), (0.0, 0.25), (1, 0), (0.5, 0.1), (), (0, 7), VideoFile("a.mp4", "0" * 32, 30, 30.0, 1.0))
    hollow = {
        **dict.fromkeys(("frame_indices", "pick_order", "timestamps_s", "score", "flags"), pa.nulls(1)),
        "qa_id": ["x"],
    }
    return [
        lambda: write_selections(path, {"a": row, "b": replace(row, file=None)}, {"selector": "random"}),
        lambda: write_table(path, pa.table(hollow), "select", {"selector": "x"}),
    ]


class _Store(dict[str, ClipMetadata]):
    """The stored frames of one clip."""

    def metadata(self, clip_id: str) -> ClipMetadata:
        return self[clip_id]


def _import(name: str, sample: Any, file: str) -> Parser:
    def build(folder: Path) -> tuple[Make, Parse]:
        rows = [
            {"video": "a.mp4", "question": q.question, "options": ["x", "y"], "answer": "A", "id": q.source_id}
            for q in QUESTIONS
        ]
        annotations = folder / "q.json"
        annotations.write_text(json.dumps(rows), encoding="utf-8")
        asked, path, store = Asked("bench", "jsonl", {}, QUESTIONS), folder / file, _Store({CLIP: METADATA})
        value = [{**row, name: PICKS} for row in rows] if sample is None else sample
        lined = file.endswith(".jsonl")
        samples = list(map(json.dumps, value)) if lined else [json.dumps(value)]

        def make(random: Random) -> bytes:
            if not lined:
                return changed_json(random, samples)
            return b"\n".join([*(line.encode() for line in samples[1:]), changed_lines(random, samples[:1])])

        def parse(content: bytes) -> str | None:
            put(path, content)
            picks = FORMATS[name].read(path, asked, ExportSources(annotations))
            imported_rows(asked, {key: one.first(4) for key, one in picks.items()}, store, None)
            return None

        return make, parse

    return Parser(f"import {name}", "select/exports", "ours on json", build)


BOLT = {"a": [{"question_id": q.source_id, "question": q.question, "frames": [0.0, 0.25]} for q in QUESTIONS]}
VLLM = [
    {
        "custom_id": q.qa_id,
        "body": {"media_io_kwargs": {"video": {"frames_indices": PICKS, "fps": 30.0, "total_num_frames": 30}}},
    }
    for q in QUESTIONS
]
JSONL = [
    {
        "benchmark": "bench",
        "qa_id": q.qa_id,
        "key": q.source_id,
        "frames_indices": PICKS,
        "pick_order": PICKS[::-1],
        "score": [0.5, 0.1],
    }
    for q in QUESTIONS
]
STORED = [
    Parser("stored shards", "frames/shard_reader", "ours", _shard),
    Parser("metadata of stored clips", "frames/clip_metadata", "ours on json", _metadata),
    Parser("shared sources.json", "frames/shared_clips", "ours on json", _sources),
    Parser("indexes of shards", "frames/index, frames/frame_store", "ours on pyarrow", _index),
    Parser("stored frames", "frames/encoding, frames/h264", "simplejpeg, FFmpeg; the bounds are ours", _frames),
    Parser("tables of questions", "qa/records", "ours on pyarrow", _table(_question_tables, read_questions)),
    Parser("tables of selections", "select/selections", "ours on pyarrow", _table(_selection_tables, read_selections)),
    _import("aks", [PICKS, PICKS], "aks.json"),
    _import("frame_idx", None, "frame_idx.json"),
    _import("keyframe_indices", None, "keyframes.json"),
    _import("videoitg", [{"doc_id": number, "index": PICKS, "logits": [0.5, 0.1]} for number in range(2)], "itg.jsonl"),
    _import("bolt", BOLT, "bolt.json"),
    _import("vllm", VLLM, "vllm.jsonl"),
    _import("jsonl", JSONL, "picks.jsonl"),
]
