"""Small videos, sound and broken ones, as rows of a clip list, and how they are stored in both forms."""

import numpy as np
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.frames.clip_metadata import ClipMetadata, StoredForm
from refocus.qa.clips import ClipRow
from refocus.qa.records import clip_id

SETTINGS = DecodeSettings(size=32, runtime=DecodeRuntime(workers=1, timeout_s=30))
FORMS = {form: SETTINGS.model_copy(update={"storage": form, "crf": 10, "gop": 4}) for form in ("jpeg", "video")}


def row(name, start=None, end=None):
    return ClipRow(clip_id("set", name, start, end), name, start, end, 0)


def metadata(clip):
    """Of a clip of one frame stored as JPEG."""
    return ClipMetadata(
        clip_id=clip, video_path="a.mp4", start_s=None, end_s=None, fps=30.0, duration_s=1.0, size=32,
        timestamps_s=(0.0,), source_frames=(0,), error=None, source_bytes=1, source_sha256="", decode="",
        form=StoredForm("jpeg"),
    )  # fmt: skip


def noise(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (128, 128, 3), dtype=np.uint8) for _ in range(count)]


GOOD = [row("a.mp4"), row("b.mkv"), row("deep/c.mp4"), row("a.mp4", 1.0, 2.0)]
BAD = [row("broken.mp4"), row("gone.mp4"), row("cut.mkv")]
