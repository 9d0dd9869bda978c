"""What needs lmms-eval or transformers' video processors: `make test-lmms-eval` brings both."""

import importlib.util
import os
import tempfile

from tests.support.torchvision_on_cpu import make_importable

if os.environ.get("REFOCUS_LMMS_EVAL"):  # make test-lmms-eval: a missing package is a failure, no reason to skip
    for name in ("lmms_eval", "torchvision"):
        assert importlib.util.find_spec(name), f"{name} is not installed"
if importlib.util.find_spec("lmms_eval"):
    KEPT = tempfile.TemporaryDirectory(prefix="refocus-lmms-eval-")  # what `datasets` keeps of tasks
    os.environ |= {"HF_HOME": KEPT.name, "HF_HUB_OFFLINE": "1"}
make_importable()
