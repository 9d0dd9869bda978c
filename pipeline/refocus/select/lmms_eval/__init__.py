"""Plug-in of lmms-eval: its own models and tasks, shown the picked frames instead of evenly spaced ones.

lmms-eval finds `manifests` by the entry point `lmms_eval.models`; docs/harnesses.md says how a run is started.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

MODELS = {
    "refocus_internvl_hf": "internvl.InternVLOnPicks",
    "refocus_llava_hf": "llava_onevision.LlavaOnevisionOnPicks",
    "refocus_qwen2_5_vl": "qwen2_5.Qwen25VLOnPicks",
    "refocus_qwen3_vl": "qwen3.Qwen3VLOnPicks",
}


def manifests() -> "list[ModelManifest]":
    """A model of ours for each of lmms-eval's that it is made of, called `refocus_` and that one's name."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return [ModelManifest(name, chat_class_path=f"{__name__}.{place}") for name, place in MODELS.items()]
