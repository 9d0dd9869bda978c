"""The stages' commands on two tiny videos, and whether what they write is what an undisturbed one writes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from refocus.cli.main import main
from refocus.core.files import write_table, write_text
from refocus.qa import evidence
from refocus.select.cost import KEY as COST

from tests.support.asked_videos import AskedVideos, build_asked_videos
from tests.support.reported_results import write_reported
from tests.support.tiny_lmm import build_lmm
from tests.support.tiny_policy import build_policy
from tests.support.tiny_scorer import build_siglip

LMM = ["--dtype", "float32", "--device", "cpu"]


def build(home: Path) -> AskedVideos:
    """A benchmark, its frames and models; what undisturbed stages make of them lies in `expected`."""
    made = build_asked_videos(home, ("even.mp4", "long.mp4"))
    build_lmm(home / "lmm")
    build_siglip(home / "siglip")
    build_policy().save_pretrained(home / "policy")
    seen = [{"qa_id": made.questions[0].qa_id, "start_s": 1.0, "end_s": 2.0}]
    write_table(home / "truth.parquet", pa.Table.from_pylist(seen, schema=evidence.SCHEMA), "ingest")
    write_text(home / "root.json", write_reported(home / "results", made).model_dump_json())
    for stage in STAGES:
        assert main(words(stage, home, home / "expected")) == 0, stage
    return made


def words(stage: str, home: Path, out: Path) -> list[str]:
    """The stage's command; what it reads of earlier stages is theirs in `expected`."""
    return [str(word) for word in [*STAGES[stage](home, home / "expected", out / stage)]]


def asked(home: Path) -> tuple[object, ...]:
    """The questions, and the index of their frames."""
    return "--qa", home / "qa" / "bench.parquet", "--index", home / "000000.index.parquet"


STAGES = {
    "world": lambda home, done, out: [
        *(
            "world",
            "--settings",
            '{"training_videos": 2, "benchmark_videos": 4, "moments": 1, "sequences": 0}',
        ),
        *("--runtime", '{"workers": 1}', "--out", out),
    ],
    "ingest": lambda home, done, out: [
        *("ingest", "csv", "--annotations", home / "questions.csv", "--videos", home / "videos", "--name", "bench"),
        *("--out", out / "qa"),
    ],
    "screen": lambda home, done, out: ["screen", "duplicates", home / "qa" / "bench.parquet", "--out", out],
    "decode": lambda home, done, out: [
        *("decode", home / "qa" / "bench.clips.parquet", "--videos", home / "videos", "--out", out / "000000.tar"),
        *("--shard", 0, "--size", 32, "--workers", 1),
    ],
    "reward": lambda home, done, out: [
        *("reward", "--model", home / "lmm", *LMM, "--frames-per-subset", 2, "--index", home / "000000.index.parquet"),
        *("--qa", home / "qa" / "bench.parquet", "--out", out / "r.parquet", "--store", out / "store", "--readers", 1),
    ],
    "embed": lambda home, done, out: [
        *("embed", *asked(home), "--readers", 1),
        *("--model", home / "siglip", "--dtype", "float32", "--device", "cpu", "--out", out / "e.parquet"),
    ],
    "certainty": lambda home, done, out: [
        *("certainty", *asked(home)),
        *("--readers", 1, "--model", home / "lmm", *LMM, "--out", out / "c.parquet"),
    ],
    "filter": lambda home, done, out: [
        *("filter", done / "reward" / "r.parquet", "--qa", home / "qa" / "bench.parquet", "--tau", 0, "--out", out),
    ],
    "select": lambda home, done, out: [
        *("select-benchmark", *asked(home)),
        *("--videos", home / "videos", "--selector", "uniform", "--n-frames", 2, "--out", out),
    ],
    "likelihood": lambda home, done, out: [
        *("likelihood", *asked(home)),
        *("--model", home / "policy", "--samples", 2, "--n-frames", 2, "--device", "cpu", "--out", out / "l.parquet"),
    ],
    "recall": lambda home, done, out: [
        *("recall", "--qa", home / "qa" / "bench.parquet", "--truth", home / "truth.parquet", "--out", out),
        *("--selections", done / "select", "--index", home / "000000.index.parquet", "--n-frames", 2),
    ],
    "answer": lambda home, done, out: [
        *("answer", "--qa", home / "qa" / "bench.parquet", "--selections", done / "select", "--videos"),
        *(home / "videos", "--model", home / "lmm", "--lmm-settings", '{"dtype": "float32"}', "--device", "cpu"),
        *("--out", out / "lmm" / "uniform"),
    ],
    "tables": lambda home, done, out: [
        *("tables", "--qa", home / "qa" / "bench.parquet", "--answers", done / "answer", "--n-frames", 2, "--out", out),
    ],
    "export": lambda home, done, out: [
        *("export", "jsonl", done / "select", "--qa", home / "qa" / "bench.parquet", "--out", out / "picks.jsonl"),
    ],
    "report": lambda home, done, out: [
        *("report", home / "results", "--configuration", (home / "root.json").read_text(), "--out", out / "pages"),
    ],
}


def content(path: Path) -> object:
    """A file's bytes, without the seconds that a table of scores says it took."""
    notes = dict(pq.read_schema(path).metadata or {}) if path.suffix == ".parquet" else {}
    return (notes, pq.read_table(path).to_pydict()) if notes.pop(COST, None) else path.read_bytes()


def assert_as_expected(stage: str, home: Path, out: Path) -> None:
    """The same files with the same bytes, but for how long scoring and picking took."""
    expected, found = (
        {path.relative_to(folder / stage): path for path in (folder / stage).rglob("*") if path.is_file()}
        for folder in (home / "expected", out)
    )
    assert found.keys() == expected.keys(), stage
    differing = [name for name, path in expected.items() if content(path) != content(found[name])]
    assert [name for name in differing if name.name != "cost.json"] == [], stage
