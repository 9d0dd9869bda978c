"""Configurations, replies, logs, and what `FrameSelector` and the page of `refocus serve` are told."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from refocus.config.layers import read as read_layer
from refocus.config.overlay import check
from refocus.config.parsing import parse_json
from refocus.config.renamed import current_names
from refocus.evaluate.letters import named_option
from refocus.evaluate.open_answers import answers_open
from refocus.report.series import band, read_metrics
from refocus.select.video_source import Frames, open_video
from refocus.train.run_log import read as read_log

from tests.fuzz.harness import Finding, Make, Parse, Parser, put
from tests.fuzz.mutation import STRANGE, changed_bytes, changed_json, changed_lines, changed_text

OVERLAY = """use: {datasets: [mine], benchmarks: [], selectors: [random], lmms: [tiny], runs: []}
lmms: {tiny: {path: OWNER/NAME}}
reward: {model: tiny}
datasets:
  mine: {format: jsonl, annotations: [q.jsonl], videos: videos, adapter_options: {answers: index}}
decode: {fps: 4, max_frames: 64, size: 384}
filter: &f {tau: 0.21}
train: {picks: 8, lr_new: 1e-4, entropy_weight: 0.002}
select: {temperature: 1.0}
"""
YAML_WORDS = (
    *(
        "&a ",
        "*a",
        "*f",
        "!!python/object/apply:os.system [x]",
        "!!binary x",
        "<<: *f",
        "- ",
        ": ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "|",
        "> ",
    ),
    *(
        "2001-99-99",
        "1e-5",
        ".inf",
        ".nan",
        "null",
        "~",
        "0o9",
        "1:2",
        "? ",
        "---\n",
        "...\n",
        "\0",
        "'",
        '"',
        "é",
        "\u2028",
        "#",
    ),
)
REPLIES = (
    "The answer is (B).",
    "B",
    "b) a hat",
    "**C.** because",
    "Answer: 1,234.5 units",
    "so it is 12 and 3e4",
    "정답은 A",
    "",
)
REPLY_WORDS = (
    "A",
    "B.",
    "(C)",
    "is ",
    "answer ",
    "so ",
    "1,",
    "2.5",
    "e9",
    "=",
    "\n",
    "  ",
    "'",
    ":",
    "答案是",
    "\0",
    "²",
    "9" * 50,
    "-",
    ".",
)


def _overlay(folder: Path) -> tuple[Make, Parse]:
    path = folder / "x.yaml"

    def make(random: Random) -> bytes:
        if random.random() < 0.5:
            return changed_json(random, [VALUES])
        text = changed_text(random, [OVERLAY], YAML_WORDS).encode("utf-8", "replace")
        return changed_bytes(random, text) if random.random() < 0.2 else text

    def parse(content: bytes) -> str | None:
        put(path, content)
        check(current_names(read_layer(path)))
        return None

    return make, parse


def _metrics(folder: Path) -> tuple[Make, Parse]:
    path = folder / "metrics.jsonl"
    samples = [json.dumps({"step": step, "reward/mean": 0.5, "policy/entropy": 2.0}) for step in range(2)]

    def parse(content: bytes) -> str | None:
        put(path, content)
        band([read_metrics(path), read_log(path)], "reward/mean")
        return None

    return lambda random: changed_lines(random, samples), parse


def _letters(folder: Path) -> tuple[Make, Parse]:
    def make(random: Random) -> tuple[str, int, str, str]:
        form = random.choice(("", "longvideobench", "mlvu", "videommmu"))
        return (
            changed_text(random, REPLIES, REPLY_WORDS),
            random.choice((2, 4, 10, 26)),
            random.choice(("lmms_eval", "authors")),
            form,
        )

    def parse(value: tuple[str, int, Any, str]) -> str | None:
        reply, count, extractor, form = value
        options = tuple(f"option {number}" for number in range(count))
        if not -1 <= (named := named_option(reply, options, extractor, form)) < count:
            raise Finding(f"option {named} of {count}")
        return None if named >= 0 else "names none"

    return make, parse


def _open(folder: Path) -> tuple[Make, Parse]:
    def parse(value: tuple[str, str]) -> str | None:
        return None if answers_open(*value) else "another answer"

    return lambda random: (
        changed_text(random, REPLIES, REPLY_WORDS),
        changed_text(random, ["['12', '1,234.5']", "a hat"], REPLY_WORDS),
    ), parse


def _arrays(folder: Path) -> tuple[Make, Parse]:
    """What may be handed to `FrameSelector` as a video that is decoded already."""
    shapes = ((2, 4, 4, 3), (0, 4, 4, 3), (2, 4, 4), (2, 4, 4, 4), (2, 0, 4, 3), (4, 4, 3), (1,), ())
    numbers = (
        1,
        4.0,
        0,
        -1,
        float("nan"),
        float("inf"),
        None,
        1e-320,
        "2",
        [0, 1],
        [1, 0],
        [0.0, float("nan")],
        [None],
        10**400,
        True,
    )

    def make(random: Random) -> tuple[Any, Any, Any]:
        images: Any = np.zeros(
            random.choice(shapes), random.choice((np.uint8, np.uint8, np.float32, np.int64, bool, object))
        )
        way = random.randrange(6)
        if way == 0 and images.ndim:
            images = list(images)
        elif way == 1:
            images = random.choice(STRANGE)
        elif way == 2:
            images = torch.zeros(random.choice(shapes), dtype=torch.uint8)
        times = random.choice(numbers)
        return random.choice(((images, times, None), (images, None, times), (images, times, times)))

    def parse(value: tuple[Any, Any, Any]) -> str | None:
        from refocus.config.decode import DecodeSettings

        source = open_video(Frames(*value))
        source.candidates(DecodeSettings(size=32, max_frames=8))
        return None

    return make, parse


def _page(folder: Path) -> tuple[Make, Parse]:
    """What is typed into the page, and names of files that were dropped there."""
    from refocus.serve.comparison import Compared
    from refocus.serve.view import problem_html, results_html

    words = (
        "<script>",
        "</script>",
        "'",
        '"',
        "&",
        "<img src=x onerror=y>",
        "{{",
        "}}",
        "{%",
        "\0",
        "\ud800",
        "\u202e",
        "é",
        "javascript:",
    )

    def parse(value: tuple[str, str]) -> str | None:
        question, name = value
        options = tuple(line.strip() for line in question.splitlines() if line.strip())
        page = results_html(
            question, options, [Compared(name, problem=name, notes=(question,))], [name]
        ) + problem_html(name)
        for word in ("<script", "<img"):
            if word in page:
                raise Finding(f"{word} comes out as it went in")
        return None

    return lambda random: (
        changed_text(random, ["what?\nred\nblue"], words),
        changed_text(random, ["a.mp4"], words),
    ), parse


def _flag(folder: Path) -> tuple[Make, Parse]:
    def parse(content: bytes) -> str | None:
        parse_json(content.decode("utf-8", "replace"), "--settings")
        return None

    return lambda random: changed_json(random, [json.dumps({"fps": 4, "runtime": {"workers": 1}})]), parse


VALUES = json.dumps(
    {
        "use": {"datasets": ["mine"], "benchmarks": [], "selectors": ["random"], "lmms": ["tiny"], "runs": []},
        "lmms": {"tiny": {"path": "OWNER/NAME"}},
        "reward": {"model": "tiny"},
        "datasets": {"mine": {"format": "jsonl", "annotations": ["q.jsonl"], "videos": "videos"}},
        "decode": {"fps": 4, "max_frames": 64},
        "filter": {"tau": 0.21},
        "train": {"picks": 8},
        "runs": {"a": {"train": {"seed": 1, "reward_model": "tiny"}}},
    }
)
SETTINGS = [
    Parser("configurations", "config", "ours on PyYAML, pydantic", _overlay),
    Parser("settings in flags", "config/parsing", "ours on json", _flag),
    Parser("metrics.jsonl", "report/series, train/run_log", "ours on json", _metrics),
    Parser("letters in replies", "evaluate/letters, evaluate/authors", "ours", _letters),
    Parser("open answers in replies", "evaluate/open_answers", "ours", _open),
    Parser("arrays as videos", "select/video_source", "ours on numpy, torch", _arrays),
    Parser("what the page is told", "serve/view", "ours on jinja2", _page),
]
