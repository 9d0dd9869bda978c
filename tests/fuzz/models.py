"""Folders of models that come from elsewhere, and what lies beside them."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from refocus.config.models_in_use import wrong_kind
from refocus.core.checksums import PROVENANCE, SUMS, check_sums
from refocus.core.files import file_digest
from refocus.core.model_folder import CONFIG, WEIGHTS_INDEX, read_json
from refocus.doctor.check_models import _safetensors as safetensors_header
from refocus.doctor.check_models import _weight_files as weight_files
from refocus.policy.config import PolicyConfig
from refocus.policy.pretrained import Shards
from refocus.policy.provenance import read_provenance
from refocus.policy.public_checkpoints import TOWERS, is_public, read_public
from refocus.policy.trained_for import FILE, read_trained_for
from refocus.select.cost import read_selection_cost
from refocus.select.encoded_video import FORMAT, read_encoded
from refocus.select.video_source import open_video
from safetensors.torch import save_file

from tests.fuzz.harness import Make, Parse, Parser, put
from tests.fuzz.mutation import changed_bytes, changed_json
from tests.support.tiny_policy import SMALL
from tests.support.trained_folder import TRAINED_FOR, provenance
from tests.support.videos import write_video

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
COST = {"benchmark": "b", "selector": "s", "questions": 1, "cost": {"seconds": 1.0, "frame_passes": 2}}


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


MODELS = [
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
]
