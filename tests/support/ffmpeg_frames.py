"""What the ffmpeg program makes of a file, and what a plain loop over PyAV's frames does."""

import io
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np

FFMPEG = shutil.which("ffmpeg")


def frames_by_ffmpeg(path: Path) -> list[tuple[float, np.ndarray]]:
    """Every frame that ffmpeg shows: seconds from the first one, and (H, W, 3) RGB, turned as it turns it."""
    how = ["-nostdin", "-v", "fatal", "-threads", "1", "-i", str(path), "-an", "-sn", "-fps_mode", "passthrough"]
    scaled = ["-sws_flags", "bicubic+accurate_rnd+full_chroma_int", "-pix_fmt", "rgb24", "-enc_time_base", "1:90000"]
    piped = ["-c:v", "rawvideo", "-f", "nut", "-"]
    made = subprocess.run([str(FFMPEG), *how, *scaled, *piped], capture_output=True, check=False).stdout
    with av.open(io.BytesIO(made)) as container:
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return [(time - frames[0][0], image) for time, image in frames]


def frames_by_loop(path: Path, index: int = 0) -> list[np.ndarray]:
    """Every frame of a video stream in the order in which libavcodec gives them, (H, W, 3) RGB as stored."""
    with av.open(str(path)) as container:
        stream = container.streams.video[index]
        stream.thread_type = "NONE"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
