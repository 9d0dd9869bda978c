"""Every kind of fault with the files that are made of it, and what is right about a decoded one."""

from collections.abc import Callable, Iterator
from pathlib import Path

from refocus.video.decode import decode_frames, plan_clip
from refocus.video.probe import VideoError

from tests.support.faulty_files import (
    FPS,
    LEVELS,
    TIME_S,
    Made,
    begins_early,
    clock_anew,
    clock_jumps,
    cover_first,
    cut,
    edited,
    edited_without_key,
    encrypted,
    held,
    in_avi,
    late,
    odd_message,
    outlasted,
    timed_by_decoding,
    tuned_into,
    unchanged,
    without_container,
)
from tests.support.odd_streams import borrowed_tables, cut_between, goes_back, not_coded, spliced, wraps
from tests.support.videos import level, played_at


def made_of(files: str) -> list[tuple[str, str]]:
    """(codec, container) of "h264.mp4, hevc.mov"; `_` stands for a space."""
    return [(codec.replace("_", " "), kind) for codec, kind in (name.split(".") for name in files.split(", "))]


def judge(made: Made) -> tuple[str, str]:
    """What decoding makes of a file at 4 frames a second, and why.

    Returns:
        `right`: ok, of the right length, with the frame that is on screen at every time; `wrong`: ok, and not right;
        else partial or failed.
    """
    try:
        plan = plan_clip(made.path, 4.0, 512, None, None)
    except VideoError as error:
        return "failed", str(error)
    got = decode_frames(made.path, plan.times_s)
    if got.status != "ok":
        return got.status, got.error or ""
    if made.length_s is None:
        return "wrong", "it cannot be right, and is called ok"
    if abs(plan.duration_s - made.length_s) > 0.5 / FPS:
        return "wrong", f"{plan.duration_s:.3f} s, {made.length_s:.3f} s is right"
    shown = list(dict.fromkeys(played_at(made.times_s, time) for time in plan.times_s))
    if got.source_frames != shown:
        return "wrong", f"frames {got.source_frames}, {shown} is right"
    for image, time_s, index in zip(got.images, got.timestamps_s, shown, strict=True):
        if abs(time_s - made.times_s[index]) > TIME_S:
            return "wrong", f"frame {index} at {time_s:.4f} s, {made.times_s[index]:.4f} s is right"
        if abs(image.mean() - level(made.numbers[index])) > LEVELS:
            return "wrong", f"frame {index} is as grey as {image.mean():.1f}, {level(made.numbers[index])} is right"
    return "right", ""


Maker = Callable[[Path, str, str], Made]
FAULTS: dict[str, tuple[Maker, list[tuple[str, str]]]] = {
    "none": (
        unchanged,
        made_of(
            "h264.mp4, h264.mov, h264.mkv, h264.ts, h264.flv, h264.nut, h264_open.mp4, h264_open.ts, h264_pyramid.mkv, "
            "hevc.mp4, hevc.mov, hevc.mkv, hevc.ts, hevc_radl.mp4, mpeg4.mp4, mpeg4.mkv, mpeg4.mov, mpeg4.nut, "
            "mpeg4_interlaced.mp4, mpeg4_interlaced.mkv, mpeg2_interlaced.ts, h264_interlaced.mp4, h264_interlaced.ts, "
            "mpeg2.ts, mpeg2.mpg, mpeg2.mkv, mpeg1.mpg, vp8.webm, vp8.ivf, vp9.webm, vp9.mp4, vp9.ivf, av1.mkv, "
            "av1.mp4, av1.webm, av1.ivf, wmv2.wmv, msmpeg4.asf, msmpeg4.avi, flv1.flv, flv1.swf, mjpeg.avi, mjpeg.mov, "
            "mjpeg.mkv, ffv1.mkv, ffv1.nut, gif.gif, apng.apng, rv10.rm, mpeg2.mxf, raw.y4m"
        ),
    ),
    "B-frames in a container without presentation times": (
        in_avi,
        made_of("h264.avi, h264_pyramid.avi, mpeg4.avi, mpeg2.avi, mpeg4_no_b.avi"),
    ),
    "presentation times that are times of decoding": (
        timed_by_decoding,
        made_of(
            "h264.mkv, h264.mp4, h264.ts, h264_pyramid.mkv, h264_pyramid.mp4, h264_pyramid.ts, hevc.mkv, hevc.mp4, "
            "hevc.ts, mpeg2.mkv, mpeg2.mp4, mpeg2.ts"
        ),
    ),
    "a picture is the first video stream": (
        cover_first,
        made_of("h264.mp4, h264.mkv, hevc.mov, mpeg4.avi, vp9.mkv, mpeg4.nut"),
    ),
    "a clock that begins again": (
        clock_anew,
        made_of("h264.ts, hevc.ts, mpeg2.ts, mpeg2.mpg, mpeg1.mpg, h264_open.ts"),
    ),
    "a clock that jumps by an hour": (clock_jumps, made_of("h264.ts, hevc.ts, mpeg2.ts")),
    "a start at 300 s": (late, made_of("h264.mp4, hevc.mov, h264.mkv, vp9.webm, mpeg2.ts, h264.flv")),
    "sound that lasts a minute longer": (
        outlasted,
        made_of(
            "h264.flv, h264.mp4, hevc.mov, mpeg4.avi, vp8.webm, h264.mkv, wmv2.wmv, h264.ts, mpeg2.mpg, mpeg4.nut, "
            "flv1.flv"
        ),
    ),
    **{
        f"cut off at {share:.0%}": (
            cut(share),
            made_of(
                "wmv2.wmv, msmpeg4.asf, gif.gif, mpeg2.mpg, mpeg1.mpg, h264.flv, vp9.webm, av1.mkv, mpeg4.avi, "
                "h264.mp4, vp8.ivf, av1.ivf, hevc.ts, vp8.ogv, ffv1.mkv, mjpeg.avi, h264.nut, flv1.swf, apng.apng, "
                "rv10.rm, mpeg2.mxf, raw.y4m, mjpeg.mjpeg"
            ),
        )
        for share in (0.3, 0.5, 0.8)
    },
    "leading pictures at the beginning": (
        begins_early,
        made_of("hevc.ts, hevc_radl.ts, h264_open.ts, hevc_radl.mkv, mpeg2.ts"),
    ),
    "a beginning within a GOP": (tuned_into, made_of("h264.ts, hevc.ts, mpeg2.ts, h264_open.ts")),
    "an edit list that ends early": (edited(0, 40), made_of("h264.mp4, hevc.mov, mpeg4.mp4, av1.mp4")),
    "an edit list that begins between key frames": (
        edited(31, 20),
        made_of("h264.mp4, hevc.mp4, mpeg4.mov, h264_open.mov"),
    ),
    "an edit list without a key frame before it": (edited_without_key, made_of("h264_no_b.mp4, h264_no_b.mov")),
    "messages that FFmpeg cannot read": (odd_message, made_of("h264.mp4, h264.ts, hevc.mp4, hevc.ts")),
    "no container": (without_container, made_of("mjpeg.mjpeg, h264.h264, hevc.hevc, mpeg2.m2v, av1.obu")),
    "a last frame that stays": (
        held,
        made_of("h264_no_b.mp4, h264.mkv, h264_no_b.flv, mpeg4.mkv, mpeg4_no_b.mov, hevc_no_b.mp4"),
    ),
    "pictures that are not coded": (
        not_coded,
        made_of("mpeg4_no_b.mp4, mpeg4_no_b.mkv, mpeg4_no_b.avi, mpeg4_no_b.nut"),
    ),
    "a sequence that ends in the middle": (spliced(False), made_of("hevc.ts, hevc.mkv, hevc.mp4")),
    "a broken link": (spliced(True), made_of("hevc_open.ts, hevc_open.mkv, hevc_open.mp4")),
    "tables that only some pictures bring": (borrowed_tables, made_of("mjpeg.mkv, mjpeg.avi, mjpeg.mov")),
    "cut off between its last pictures": (cut_between, made_of("h264.mp4, h264.mov, hevc.mp4, mpeg4.mp4")),
    "a clock that goes back": (goes_back, made_of("flv1.flv, h264_no_b.flv, h264_no_b.mkv, vp8.mkv, mpeg4_no_b.mkv")),
    "a clock that wraps": (wraps, made_of("flv1.flv, h264_no_b.flv")),
    "encryption": (encrypted, made_of("h264.mp4, hevc.mp4")),
}


def every_fault() -> Iterator[tuple[str, str, str]]:
    """(fault, codec, container) of all files."""
    for fault, (_, files) in FAULTS.items():
        for codec, kind in files:
            yield fault, codec, kind
