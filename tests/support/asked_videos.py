"""A benchmark of tiny videos with their stored frames, for tests that follow picks back into the files."""

import csv
from dataclasses import dataclass
from pathlib import Path

from refocus.cli.main import main
from refocus.qa.records import Question, read_questions

from tests.support.videos import constant, variable, write_video

VIDEOS = {"even.mp4": constant(4.0), "uneven.mkv": variable(5.0, 3), "long.mp4": constant(8.0, 25.0)}
ASKED = ("which colour", "what is shown first")
OPTIONS = ("red", "green", "blue")


@dataclass(frozen=True)
class AskedVideos:
    """Where things are: `videos/`, `questions.csv`, `qa/bench.parquet`, `000000.index.parquet`."""

    home: Path

    @property
    def qa(self) -> Path:
        return self.home / "qa" / "bench.parquet"

    @property
    def index(self) -> Path:
        return self.home / "000000.index.parquet"

    @property
    def videos(self) -> Path:
        return self.home / "videos"

    @property
    def annotations(self) -> Path:
        return self.home / "questions.csv"

    @property
    def questions(self) -> list[Question]:
        return read_questions(self.qa)

    def refocus(self, *words: object) -> int:
        """One command by hand."""
        return main([str(word) for word in words])

    def select(self, selector: str, n: int, out: Path, *more: object) -> Path:
        """One selector's table; returns its path."""
        words = ["--qa", self.qa, "--index", self.index, "--videos", self.videos, "--selector", selector]
        assert self.refocus("select-benchmark", *words, "--n-frames", n, "--out", out, *more) == 0
        return out / f"n{n}.s0.parquet"


def build_asked_videos(home: Path, names: tuple[str, ...] = tuple(VIDEOS)) -> AskedVideos:
    """Renders, ingests and decodes; two questions a video, ids `0`, `1`, … in the order of the file."""
    made = AskedVideos(home)
    for name in names:
        write_video(made.videos / name, VIDEOS[name])
    with made.annotations.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["video", "question", *(f"option_{letter}" for letter in "abc"), "answer", "id"])
        for number, (name, question) in enumerate((name, text) for name in names for text in ASKED):
            writer.writerow([name, question, *OPTIONS, "red", str(number)])
    words = ["--annotations", made.annotations, "--videos", made.videos, "--name", "bench", "--out", home / "qa"]
    assert made.refocus("ingest", "csv", *words) == 0
    words = ["--videos", made.videos, "--out", home / "000000.tar", "--shard", 0, "--size", 32]
    assert made.refocus("decode", home / "qa" / "bench.clips.parquet", *words) == 0
    return made
