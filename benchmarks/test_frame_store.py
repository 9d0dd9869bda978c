"""Reading 32 of a clip's 512 frames from both storages, and what they weigh. Run with `make bench`.

CPU seconds of one process, best of several alternating passes; what to look at are the ratios.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image
from refocus.config.decode import DecodeSettings
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.decode_clip import StoredClip
from refocus.frames.encoding import frame_encoder
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import write_index
from refocus.frames.partial_shard import PartialShard
from refocus.frames.shard_reader import index_row
from refocus.video.decode import decode_frames

FRAMES, SIZE, PASSES = 512, 384, 5
PICKED = [(2 * k + 1) * FRAMES // 64 for k in range(32)]


def synthetic():
    """Squares that move over a slowly drifting texture, with a little sensor noise."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(40, 200, (48, 48 + FRAMES // 16, 3), dtype=np.uint8))
    texture = np.asarray(coarse.resize((8 * coarse.width, SIZE), Image.Resampling.BICUBIC))
    for index in range(FRAMES):
        shift = index // 2
        image = texture[:SIZE, shift : shift + SIZE].astype(np.int16) + rng.normal(0, 2, (SIZE, SIZE, 1))
        place = 20 + (7 * index) % 280
        image[place : place + 60, 300 - place // 2 : 360 - place // 2] = (220, 40, 60)
        yield np.clip(image, 0, 255).astype(np.uint8)


def real(name):
    """A real video at 4 fps, forth and back until there are enough frames."""
    path = Path(os.environ.get("REFOCUS_TEST_DATA", "")) / "videos" / name
    if not path.is_file():
        pytest.skip("no real data (set REFOCUS_TEST_DATA)")
    images = decode_frames(path, [k / 4 for k in range(60)], SIZE).images
    order = [*range(len(images)), *range(len(images) - 2, 0, -1)]
    for index in range(FRAMES):
        yield images[order[index % len(order)]]


CLIPS = {
    "synthetic": synthetic,
    "nasa_13013.mp4": lambda: real("nasa_13013.mp4"),
    "flipping_a_pancake.mkv": lambda: real("flipping_a_pancake.mkv"),
}


def stored(folder, images, form):
    """A shard of one clip; gives its store, its tar and the CPU seconds of encoding."""
    begin = time.process_time()
    encoder = frame_encoder(DecodeSettings(storage=form))
    for image in images:
        encoder.add(image)
    files, stored_form = encoder.finish()
    spent = time.process_time() - begin
    metadata = ClipMetadata(
        clip_id=form, video_path="", start_s=None, end_s=None, fps=4.0, duration_s=FRAMES / 4, size=SIZE,
        timestamps_s=tuple(k / 4 for k in range(FRAMES)), source_frames=tuple(range(FRAMES)), error=None,
        source_bytes=0, source_sha256="", decode="", form=stored_form,
    )  # fmt: skip
    with PartialShard(folder / f"{form}.tar") as shard:
        row = index_row(metadata, shard.add(StoredClip(metadata, files)), f"{form}.tar")
        shard.complete()
        shard.publish()
    write_index(folder / f"{form}.parquet", [row], {})
    return FrameStore.open([folder / f"{form}.parquet"]), folder / f"{form}.tar", spent


def cpu(work):
    begin = time.process_time()
    work()
    return time.process_time() - begin


def psnr(images, originals):
    error = np.mean((images.astype(np.float32) - originals) ** 2)
    return float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize("name", list(CLIPS))
def test_32_of_512_frames(tmp_path, name):
    images = list(CLIPS[name]())
    forms = {form: stored(tmp_path, images, form) for form in ("jpeg", "video")}
    some, every = {form: [] for form in forms}, {form: [] for form in forms}
    for _ in range(PASSES):
        for form, (store, _, _) in forms.items():
            some[form].append(cpu(lambda store=store, form=form: store.images(form, PICKED)))
            every[form].append(cpu(lambda store=store, form=form: store.images(form)))
    lines = [
        f"\n{name}: {FRAMES} frames of {SIZE} x {SIZE}",
        f"{'':8}{'MB':>7}{'PSNR':>7}{'encode':>9}{'32':>9}{'512':>9}",
    ]
    for form, (store, tar, encode) in forms.items():
        quality = psnr(store.images(form, PICKED), np.stack([images[k] for k in PICKED]))
        seconds = "".join(f"{value:8.3f}s" for value in (encode, min(some[form]), min(every[form])))
        lines.append(f"{form:8}{tar.stat().st_size / 1e6:7.2f}{quality:7.2f}{seconds}")
    sizes = {form: tar.stat().st_size for form, (_, tar, _) in forms.items()}
    lines.append(
        f"video is {sizes['jpeg'] / sizes['video']:.2f} times smaller, and dearer to read: "
        f"{min(some['video']) / min(some['jpeg']):.1f} times for 32 frames, "
        f"{min(every['video']) / min(every['jpeg']):.1f} times for all"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    assert sizes["video"] < sizes["jpeg"]


def test_the_store_adds_little_to_decoding_jpegs(tmp_path):
    """Reading and placing frames costs at most a third of decoding them."""
    images = list(synthetic())
    store, _, _ = stored(tmp_path, images, "jpeg")
    files = [simplejpeg.encode_jpeg(image, quality=90, colorsubsampling="420") for image in images]
    ours, theirs = [], []
    for _ in range(PASSES):
        ours.append(cpu(lambda: store.images("jpeg")))
        theirs.append(cpu(lambda: [simplejpeg.decode_jpeg(file, "RGB") for file in files]))
    sys.stdout.write(f"\nframe store / bare JPEG decoding of {FRAMES} frames: {min(ours) / min(theirs):.2f}\n")
    assert min(ours) < 1.33 * min(theirs)
