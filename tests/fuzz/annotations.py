"""Annotation files of every format, and what their cells may hold."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from refocus.config.formats import BUILT_IN
from refocus.qa.adapters import adapter
from refocus.qa.adapters.annotation_files import columns_of, csv_rows, json_entries, json_lines, parquet_stream
from refocus.qa.adapters.conversations import parse_answer, parse_question
from refocus.qa.loose_values import as_list, as_seconds, as_spans, as_text, as_whole
from refocus.qa.raw_question import BadRow, build, options_of
from refocus.qa.records import Question, Reject, questions_table
from refocus.qa.video_finder import VideoFinder
from refocus.qa.video_root import VideoRoot
from refocus.select.question_list import read_questions
from refocus.video.probe import VideoError

from tests.fuzz.harness import Finding, Make, Parse, Parser, put
from tests.fuzz.mutation import STRANGE, changed_bytes, changed_json, changed_lines, changed_text, changed_value
from tests.fuzz.samples import BESIDE, CELLS, COLUMNS, LETTERED, ROWS, SAID, WRAPPED


def csv_text(random: Random, row: dict[str, Any], comma: str = ",") -> bytes:
    """A table in which cells or the header changed, in UTF-8 or, as Excel writes it, UTF-16."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=comma)
    cells = [changed_value(random, dict(row)) for _ in range(random.randrange(3))]
    writer.writerow(row)
    for cell in cells:
        values = cell if isinstance(cell, list) else list(cell.values()) if isinstance(cell, dict) else [cell]
        writer.writerow([str(value)[:5000] if not isinstance(value, int) else str(value % 10**50) for value in values])
    data = text.getvalue().encode(random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "replace")
    return changed_bytes(random, data) if random.random() < 0.5 else data


def parquet_pool(folder: Path, row: dict[str, Any]) -> list[bytes]:
    """Tables like one row's, some with columns of other types and values that Python cannot hold."""
    odd = [
        pa.array([None]),
        pa.array([2**52], pa.timestamp("s")),
        pa.array([b"\xff\0"], pa.binary()),
        pa.array([1e400]),
        pa.array([[["x"]]]),
        pa.array([{"bytes": b"x", "path": None}]),
        pa.array(["x"]).dictionary_encode(),
        pa.array([2**62], pa.duration("s")),
        pa.array([2**40], pa.time64("us")),
        pa.array([10**37], pa.decimal128(38)),
        pa.array([2**31 - 1], pa.date32()),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.Array.from_buffers(
            pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
        ),
    ]
    tables = [pa.table({name: [value] * count for name, value in row.items()}) for count in (0, 1, 5)]
    for name in row:
        place = list(row).index(name)
        tables += [tables[1].set_column(place, name, column) for column in odd]
        tables += [tables[1].drop_columns([name]), tables[1].append_column(name, tables[1][name])]
    pool = []
    for number, table in enumerate(tables):
        sink = folder / "pool.parquet"
        pq.write_table(table, sink, compression=("none", "snappy", "zstd")[number % 3], use_dictionary=number % 2 == 0)
        pool.append(sink.read_bytes())
        sink.unlink()
    return pool


def from_pool(random: Random, pool: list[bytes]) -> bytes:
    """One of the files, mostly changed: in its pages, or in the footer that describes them."""
    data = random.choice(pool)
    way = random.random()
    if way < 0.2:
        return data
    if way < 0.5:
        return changed_bytes(random, data, pool)
    length = int.from_bytes(data[-8:-4], "little") + 8
    return data[:-length] + changed_bytes(random, data[-length:-8], pool) + data[-8:]


def _adapter(name: str) -> Parser:
    def build_format(folder: Path) -> tuple[Make, Parse]:
        for beside, value in BESIDE.get(name, {}).items():
            (folder / beside).write_text(json.dumps(value), encoding="utf-8")
        (folder / "a.mp4").touch()
        finder, read = VideoFinder(folder), adapter(name).function
        make, file = _source(folder, name)
        paths = [folder / file, *(folder / beside for beside in BESIDE.get(name, {}))]

        def parse(content: bytes) -> str | None:
            put(folder / file, content)
            found = list(build("set", read(paths, {}), finder))
            questions_table(one for one in found if isinstance(one, Question))
            for one in found:
                if isinstance(one, Reject) and len(one.detail) > 4000:
                    raise Finding(f"a reject of {len(one.detail)} characters")
            rejects = [one.reason for one in found if isinstance(one, Reject)]
            return None if len(rejects) < len(found) else f"rejects: {rejects[0]}" if rejects else "no rows"

        return make, parse

    return Parser(f"format {name}", "qa/adapters", "ours on json, csv or pyarrow", build_format)


def _source(folder: Path, name: str) -> tuple[Make, str]:
    """What makes files of a format, and what they are called."""
    if name in ROWS:
        file, wrap = WRAPPED[name]
        samples = [json.dumps(wrap(ROWS[name]))]
        changed = changed_lines if file.endswith(".jsonl") else changed_json
        return lambda random: changed(random, samples), file
    if name in CELLS:
        return lambda random: csv_text(random, CELLS[name]), "val.csv"
    pool = parquet_pool(folder, COLUMNS[name])
    return lambda random: from_pool(random, pool), "test-00000-of-00001.parquet"


def _file(
    name: str, read: Callable[[Path], Any], make_of: Callable[[Path], Make]
) -> Callable[[Path], tuple[Make, Parse]]:
    """A parser of one file."""

    def build_file(folder: Path) -> tuple[Make, Parse]:
        path = folder / name

        def parse(content: bytes) -> str | None:
            put(path, content)
            found = read(path)
            return str(found) if isinstance(found, BadRow) else None

        return make_of(folder), parse

    return build_file


def _rows(path: Path) -> Any:
    """Reads all; only bad rows make a refusal."""
    columns = columns_of(path)
    found = list(
        parquet_stream(path, columns or ()) if columns is not None and path.suffix == ".parquet" else csv_rows(path, ())
    )
    return next((row for row in found if isinstance(row, BadRow)), None) if found else None


def _cells(folder: Path) -> tuple[Make, Parse]:
    words = [*(one for one in STRANGE if isinstance(one, str)), ":", "-", ";", ",", "[", "]", "'", '"', "\n", "9", "."]
    samples = [
        "0:15-0:19; 1:05",
        "['a', \"b\"]",
        "[1 2\n 3]",
        '["x", ["y"]]',
        "1:02:05.5",
        "3.0",
        "['a' 'b'\n 'c']",
        "0:05 – 0:09、1:00",
    ]

    def parse(value: Any) -> str | None:
        found = [read(value) for read in (as_list, as_spans, as_seconds, as_whole, as_text)]
        seconds = found[2]
        if seconds is not None and not 0 <= seconds < float("inf"):
            raise Finding(f"{seconds} seconds")
        return None if any(one is not None for one in found[:4]) else "no list, time or number"

    return (
        lambda random: random.choice(STRANGE) if random.random() < 0.1 else changed_text(random, samples, words)[:4000],
        parse,
    )


def _turns(folder: Path) -> tuple[Make, Parse]:
    words = [
        "A.",
        "(B)",
        "C) ",
        "\n",
        "Options:",
        "answer",
        "Please respond with only the letter",
        " ",
        "\0",
        "is ",
        "²",
        "<image>",
    ]
    samples = [LETTERED, "what? (A) red (B) blue (C) green", SAID[0]["value"], "The answer is (B) a hat.", "B", "A: x"]

    def parse(text: str) -> str | None:
        try:
            _, options = parse_question(text)
            options_of({"options": list(options)}, "options")
            parse_answer(text[-40:], options)
        except BadRow as bad:
            return bad.reason
        return None

    return lambda random: changed_text(random, samples, words), parse


def _paths(folder: Path) -> tuple[Make, Parse]:
    """Paths below a root with links out of it and round in circles."""
    root, away = folder / "root", folder / "away"
    for place in (root / "b/c", away):
        place.mkdir(parents=True)
    for file in (root / "b/a.mp4", root / "b/c/x.mkv", away / "secret.mp4"):
        file.touch()
    (root / "out").symlink_to(away)
    (root / "loop").symlink_to("loop")
    (root / "b/file.mp4").symlink_to(away / "secret.mp4")
    real = str(root.resolve())
    finder, opener = VideoFinder(root), VideoRoot(root)
    words = [
        "..",
        "/",
        "\\",
        "\0",
        "out/",
        "b/",
        "secret.mp4",
        "loop",
        "file.mp4",
        "a.tar/5+5/",
        "~",
        "https:/",
        "\ud800",
        "é",
        "//",
        ".",
        "C:",
    ]

    def parse(text: str) -> str | None:
        reason = None
        for find in (lambda: root / finder.find([text]), lambda: opener.file(text)):
            try:
                found = find()
            except (ValueError, VideoError) as error:
                reason = str(error)
                continue
            try:
                target = str(found.resolve())
            except (OSError, RuntimeError, ValueError):
                continue
            if target != real and not target.startswith(f"{real}/"):
                raise Finding(f"{text!r} leads to {target}")
        return reason and reason.replace(text, "PATH")

    return lambda random: changed_text(random, ["b/a.mp4", "b/c/x.mkv", "out/secret.mp4", "b/file.mp4"], words), parse


SAMPLE = json.dumps({"video": "a.mp4", "question": "what?", "options": ["x", "y"], "id": 1, "answer": "A"})
ANNOTATIONS = [
    Parser(
        "JSON annotations",
        "qa/adapters/annotation_files",
        "ours on json",
        _file("a.json", json_entries, lambda _: lambda random: changed_json(random, [f'{{"x": [{SAMPLE}]}}', SAMPLE])),
    ),
    Parser(
        "JSON lines",
        "qa/adapters/annotation_files",
        "ours on json",
        _file(
            "a.jsonl",
            lambda path: next((row for row in json_lines(path) if isinstance(row, BadRow)), None),
            lambda _: lambda random: changed_lines(random, [SAMPLE]),
        ),
    ),
    Parser(
        "CSV annotations",
        "qa/adapters/annotation_files",
        "ours on csv",
        _file("a.csv", _rows, lambda _: lambda random: csv_text(random, CELLS["csv"], random.choice(",;\t"))),
    ),
    Parser(
        "parquet annotations",
        "qa/adapters/annotation_files",
        "ours on pyarrow",
        _file(
            "a.parquet",
            _rows,
            lambda folder: (lambda pool: lambda random: from_pool(random, pool))(
                parquet_pool(folder, COLUMNS["parquet"])
            ),
        ),
    ),
    *(_adapter(name) for name in BUILT_IN),
    Parser("lists, times and numbers in cells", "qa/loose_values", "ours on json, ast, tokenize", _cells),
    Parser("options and answers in turns", "qa/adapters/conversations", "ours", _turns),
    Parser("paths of videos", "qa/video_finder, qa/video_root", "ours", _paths),
    Parser(
        "questions of select --questions",
        "select/question_list",
        "ours on json",
        lambda folder: (
            (folder / "a.mp4").touch(),
            _file(
                "q.jsonl",
                lambda path: read_questions(path, None),
                lambda _: lambda random: changed_lines(random, [SAMPLE]),
            )(folder),
        )[1],
    ),
]
