"""The tiny models as shipped files: training them, their manifest, and promoting them into the project."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.config.assets import AssetsSettings
from refocus.config.world import WorldSettings
from refocus.core.checksums import CARD
from refocus.core.errors import RefocusError
from refocus.core.files import file_digest, write_json, write_text
from refocus.policy.provenance import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import SiglipModel

    from refocus.world.tiny_lmms import TinyLmm

MODELS = ("siglip", "lmm", "policy")  # trained by `make assets`, the first before the last
SELECTOR = "selector"  # what the demo's training makes of `policy`; what `refocus select` takes by default
MANIFEST = "manifest.json"
LICENCE = "apache-2.0"  # the project's, for code and tiny models
SECOND_SEED = 1000  # added to the seed for the second LMM
MOST_BYTES = 10 * 1000**2  # all that ship, together


def train_tower(settings: AssetsSettings, out: Path) -> None:
    """Trains the world's SigLIP and writes its model folder."""
    from refocus.world.contrast import ContrastTrainer

    trainer = ContrastTrainer(settings.seed)
    trainer.teach(settings.tower_steps, lr=settings.tower_lr)
    trainer.save(out)


def train_reference(settings: AssetsSettings, out: Path) -> None:
    """Trains the reference LMM and writes its model folder."""
    from refocus.world.tiny_lmms import TinyInternVL

    _train_lmm(settings, settings.seed, TinyInternVL, out)


def train_second(settings: AssetsSettings, out: Path, siglip: Path) -> None:
    """Trains the second LMM, which shares no weight, seed or video with the first, and writes its model folder.

    It is not shipped: only the study of claims needs it, and two LMMs would make the models too large.

    Args:
        siglip: the folder of the tower it begins with.
    """
    from refocus.world.tiny_lmms import TinyOneVision

    tower = read_tower(siglip)
    _train_lmm(settings, settings.seed + SECOND_SEED, lambda tokenizer: TinyOneVision(tokenizer, tower), out)


def _train_lmm(settings: AssetsSettings, seed: int, build: "Callable[[Any], TinyLmm]", out: Path) -> None:
    """Four phases, then two more; these begin with the folder that the phases before them leave, so each can be tried
    alone. A folder holds float16, so saving is part of the recipe.
    """
    from refocus.world.lessons import AGAIN, LESSONS
    from refocus.world.lmm_trainer import LmmTrainer

    first = LmmTrainer(seed, build)
    first.read(settings.lmm_read_steps, lr=settings.lmm_lr)
    first.align_tower(settings.align_steps, lr=settings.align_lr)
    first.teach(settings.lmm_steps, lr=settings.lmm_lr, lessons=LESSONS[-2:])
    first.teach(settings.lmm_joint_steps, lr=settings.lmm_lr / 2, lessons=LESSONS[-1:], joint=True)
    first.save(out)
    last = LmmTrainer(seed, build)
    last.load(out)
    last.teach(settings.lmm_again_steps, lr=settings.lmm_lr, lessons=AGAIN)
    last.save(out)
    last.teach(settings.lmm_again_joint_steps, lr=settings.lmm_lr / 2, lessons=AGAIN, joint=True)
    last.save(out)


def train_base(settings: AssetsSettings, out: Path, siglip: Path) -> None:
    """Trains the supervised base policy on a SigLIP's tower and writes its model folder."""
    from refocus.world.base_policy import BaseTrainer

    trainer = BaseTrainer(settings.seed, read_tower(siglip))
    trainer.describe(settings.base_caption_steps, lr=settings.base_lr)
    trainer.teach(settings.base_steps, lr=settings.base_lr)
    trainer.save(out)


def read_tower(folder: Path) -> "SiglipModel":
    """The SigLIP that `train_tower` wrote, float32."""
    from transformers import SiglipModel

    return SiglipModel.from_pretrained(folder).float().eval()


def write_manifest(folder: Path, settings: AssetsSettings, worlds: list[WorldSettings]) -> dict[str, Any]:
    """Examines the models below `folder` on held-out videos of each world and writes `manifest.json` beside them."""
    from refocus.world.build_world import fingerprint
    from refocus.world.evaluation import evaluate

    exams = [
        {
            "world": world.identity(),
            "world_fingerprint": fingerprint(world),
            "scores": evaluate({"lmm": folder / "lmm"}, folder / "policy", world),
        }
        for world in worlds
    ]
    manifest = {"files": checksums(folder), "training": settings.identity(), "exams": exams}
    write_json(folder / MANIFEST, manifest)
    return manifest


def checksums(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file of the models, by path below `folder`."""
    files = sorted(path for model in (*MODELS, SELECTOR) for path in (folder / model).rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
        }
        for path in files
    }


def promote(source: Path, target: Path) -> None:
    """Replaces the models shipped in `target` by examined ones; a selector trained on the old ones goes.

    Raises:
        RefocusError: the manifest does not describe the files, or they are too large to ship.
    """
    path = source / MANIFEST
    if not path.is_file():
        raise RefocusError(f"{path} is missing; run `refocus assets exam` first")
    files = json.loads(path.read_text())["files"]
    if files != checksums(source):
        raise RefocusError(f"{path} describes other files than those beside it; run `refocus assets exam` again")
    _check_size(source, files)
    for model in (*MODELS, SELECTOR):
        shutil.rmtree(target / model, ignore_errors=True)
    for model in MODELS:
        shutil.copytree(source / model, target / model)
    shutil.copy2(path, target / MANIFEST)


def promote_selector(policy: Path, target: Path) -> None:
    """Ships a policy trained in the world as `selector`, beside the models it was trained with; its card names the
    project's licence.

    Raises:
        RefocusError: there is no policy, nothing says truly what it was trained on, that is not the world alone, or the
            models together are too large to ship.
    """
    if not (policy / "config.json").is_file():
        raise RefocusError(f"{policy} holds no trained policy; run `make demo` first")
    if not described(policy).is_synthetic:
        raise RefocusError(f"{policy} was not trained in the synthetic world alone; only such a policy ships")
    shutil.rmtree(target / SELECTOR, ignore_errors=True)
    shutil.copytree(policy, target / SELECTOR)
    from huggingface_hub import ModelCard

    card = ModelCard.load(target / SELECTOR / CARD)
    card.data["license"] = LICENCE
    write_text(target / SELECTOR / CARD, card.content)
    manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"] = checksums(target)
    _check_size(target, manifest["files"])
    write_json(target / MANIFEST, manifest)


def _check_size(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    if (total := sum(entry["bytes"] for entry in files.values())) > MOST_BYTES:
        raise RefocusError(f"the models in {folder} take {total} bytes; at most {MOST_BYTES} are shipped")
