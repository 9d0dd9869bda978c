"""What needs lmms-eval or transformers' video processors: `make test-lmms-eval` brings both."""

import os
import tempfile

from tests.support.torchvision_on_cpu import make_importable

os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="refocus-lmms-eval-")  # where `datasets` keeps what tasks load
os.environ["HF_HUB_OFFLINE"] = "1"
make_importable()
if os.environ.get("REFOCUS_LMMS_EVAL"):  # make test-lmms-eval: a missing package is a failure, no reason to skip
    import lmms_eval  # noqa: F401
    import torchvision  # noqa: F401
