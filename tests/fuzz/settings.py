"""Configurations, models that come from elsewhere, replies, logs, and what the page of `refocus serve` is told."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from refocus.config.layers import read as read_layer
from refocus.config.models_in_use import wrong_kind
from refocus.config.overlay import check
from refocus.config.parsing import parse_json
from refocus.config.renamed import current_names
from refocus.core.checksums import PROVENANCE, SUMS, check_sums
from refocus.core.files import file_digest
from refocus.core.model_folder import CONFIG, WEIGHTS_INDEX, read_json
from refocus.doctor.check_models import _safetensors as safetensors_header
from refocus.doctor.check_models import _weight_files as weight_files
from refocus.evaluate.letters import named_option
from refocus.evaluate.open_answers import answers_open
from refocus.policy.config import PolicyConfig
from refocus.policy.pretrained import Shards
from refocus.policy.provenance import read_provenance
from refocus.policy.public_checkpoints import TOWERS, is_public, read_public
from refocus.policy.trained_for import FILE, read_trained_for
from refocus.report.series import band, read_metrics
from refocus.select.cost import read_selection_cost
from refocus.select.encoded_video import FORMAT, read_encoded
from refocus.select.video_source import Frames, open_video
from refocus.train.run_log import read as read_log
from safetensors.torch import save_file

from tests.fuzz.harness import Finding, Make, Parse, Parser, put
from tests.fuzz.mutation import STRANGE, changed_bytes, changed_json, changed_lines, changed_text
from tests.support.tiny_policy import SMALL
from tests.support.trained_folder import TRAINED_FOR, provenance
from tests.support.videos import write_video

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
MAMBA = {
    "d_model": 16,
    "n_layer": 2,
    "vocab_size": 32,
    "ssm_cfg": {"layer": "Mamba2", "headdim": 8},
    "mm_vision_tower": "google/siglip-so400m-patch14-384",
}
HF = {
    "model_type": "mamba2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "n_groups": 1,
    "head_dim": 8,
    "vocab_size": 32,
    "layer_norm_epsilon": 1e-5,
}
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


def _json_file(name: str, samples: list[Any], read: Callable[[Path], Any]) -> Callable[[Path], tuple[Make, Parse]]:
    """A file of JSON in a folder, which is what is read."""
    texts = [json.dumps(sample) for sample in samples]

    def build(folder: Path) -> tuple[Make, Parse]:
        path = folder / name
        (folder / CONFIG).write_text("{}", encoding="utf-8")

        def parse(content: bytes) -> str | None:
            put(path, content)
            read(folder)
            return None

        return lambda random: changed_json(random, texts), parse

    return build


def _policy_config(folder: Path) -> None:
    values = read_json(folder / CONFIG)
    tower = values.get("mm_vision_tower")
    if isinstance(tower, str) and tower not in TOWERS:
        return  # names another model, a folder or a hub id, which is found by the usual rule
    if is_public(values):
        read_public(values, "x", vision=None if values.get("mm_vision_tower") else "google/siglip-so400m-patch14-384")
    else:
        config = PolicyConfig.from_dict(values)
        _ = config.inner, config.heads, config.conv_channels, config.tokens_per_frame
    wrong_kind(folder / CONFIG, "lmm", "auto")
    wrong_kind(folder / CONFIG, "policy")


def _sums(folder: Path) -> tuple[Make, Parse]:
    (folder / "config.json").write_text("{}", encoding="utf-8")
    sample = f"{file_digest(folder / 'config.json')}  config.json\n".encode()

    def parse(content: bytes) -> str | None:
        put(folder / SUMS, content)
        check_sums(folder)
        return None

    return lambda random: changed_bytes(
        random, sample, words=[b"../", b"/etc/passwd", b"  ", b"\n", b"\0", b"\xff", b"n" * 300]
    ), parse


def _weights(folder: Path) -> tuple[Make, Parse]:
    """Weight files by an index that comes with them: doctor's look at headers, and how a policy opens them."""
    save_file({"a": torch.zeros(2)}, folder / "one.safetensors")
    tensors = (folder / "one.safetensors").read_bytes()
    index = json.dumps({"weight_map": {"a": "one.safetensors"}})

    def make(random: Random) -> tuple[bytes, bytes]:
        return changed_json(random, [index]) if random.random() < 0.5 else index.encode(), changed_bytes(
            random, tensors
        )

    def parse(value: tuple[bytes, bytes]) -> str | None:
        put(folder / WEIGHTS_INDEX, value[0])
        put(folder / "one.safetensors", value[1])
        weight_files(folder)
        problem = safetensors_header(folder / "one.safetensors")
        Shards(folder, "x")
        return problem or None

    return make, parse


def _encoded(folder: Path) -> tuple[Make, Parse]:
    path, video = folder / "x.safetensors", write_video(folder / "a.mp4", [0.0, 0.1], (16, 16))
    file = vars(open_video(video).file())
    about = {
        "format": FORMAT,
        "reader": "r",
        "file": file,
        "timestamps_s": [0.0],
        "source_frames": [0],
        "problem": None,
    }
    text = json.dumps(about)

    def make(random: Random) -> bytes:
        notes = changed_json(random, [text]).decode("utf-8", "replace")
        header = json.dumps(
            {"__metadata__": {"about": notes}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
        ).encode()
        data = len(header).to_bytes(8, "little") + header + bytes(4)
        return changed_bytes(random, data) if random.random() < 0.3 else data

    def parse(content: bytes) -> str | None:
        put(path, content)
        read_encoded(path, "r")
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
COST = {"benchmark": "b", "selector": "s", "questions": 1, "cost": {"seconds": 1.0, "frame_passes": 2}}
SETTINGS = [
    Parser("configurations", "config", "ours on PyYAML, pydantic", _overlay),
    Parser("settings in flags", "config/parsing", "ours on json", _flag),
    Parser(
        "config.json of policies",
        "policy/config, policy/public_checkpoints",
        "ours on json",
        _json_file(CONFIG, [SMALL.to_dict(), MAMBA, HF], _policy_config),
    ),
    Parser(
        "selection.json", "policy/trained_for", "ours on json", _json_file(FILE, [vars(TRAINED_FOR)], read_trained_for)
    ),
    Parser(
        "provenance.json",
        "policy/provenance",
        "ours on json, pydantic",
        _json_file(PROVENANCE, [provenance().model_dump(mode="json")], read_provenance),
    ),
    Parser("SHA256SUMS", "core/checksums", "ours", _sums),
    Parser(
        "weights and their index",
        "policy/pretrained, doctor/check_models",
        "safetensors; index and sizes are ours",
        _weights,
    ),
    Parser("videos that were read before", "select/encoded_video", "ours on safetensors", _encoded),
    Parser(
        "cost.json",
        "select/cost",
        "ours on json",
        _json_file("cost.json", [COST], lambda folder: read_selection_cost(folder / "cost.json")),
    ),
    Parser("metrics.jsonl", "report/series, train/run_log", "ours on json", _metrics),
    Parser("letters in replies", "evaluate/letters, evaluate/authors", "ours", _letters),
    Parser("open answers in replies", "evaluate/open_answers", "ours", _open),
    Parser("arrays as videos", "select/video_source", "ours on numpy, torch", _arrays),
    Parser("what the page is told", "serve/view", "ours on jinja2", _page),
]
