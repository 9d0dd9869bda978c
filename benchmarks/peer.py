"""One clip by another library, run by the interpreter that has it: `python peer.py WAY FILE TIMES_S`.

Prints one line of JSON: CPU seconds without imports, and how many frames came out.
"""

import io
import json
import resource
import subprocess
import sys
import tarfile
import time

SIZE = 384


def stored(images):
    import numpy as np
    import simplejpeg

    count = 0
    with tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for image in images:
            jpeg = simplejpeg.encode_jpeg(
                np.ascontiguousarray(image), quality=90, colorspace="RGB", colorsubsampling="420"
            )
            member = tarfile.TarInfo(f"clip.{count:04d}.jpg")
            member.size = len(jpeg)
            tar.addfile(member, io.BytesIO(jpeg))
            count += 1
    return count


def torchcodec(path, times, mode="exact"):
    import simplejpeg  # noqa: F401
    import torch
    import torchcodec
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    torch.set_num_threads(1)
    begin = time.process_time()
    video = VideoDecoder(
        path, num_ffmpeg_threads=1, dimension_order="NHWC", seek_mode=mode, transforms=[Resize((SIZE, SIZE))]
    )
    first = video.metadata.begin_stream_seconds or 0.0
    frames = 0
    for at in range(0, len(times), 32):
        batch = video.get_frames_played_at([first + moment for moment in times[at : at + 32]])
        frames += stored(batch.data.numpy())
    return time.process_time() - begin, frames, torchcodec.__version__


def opencv(path, times):
    import cv2
    import simplejpeg  # noqa: F401

    cv2.setNumThreads(1)
    begin = time.process_time()
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = video.get(cv2.CAP_PROP_FPS)

    def images():
        ahead = sorted({int(moment * rate + 1e-6) for moment in times}, reverse=True)
        index = 0
        while ahead and video.grab():
            if index == ahead[-1]:
                ahead.pop()
                picture = cv2.resize(video.retrieve()[1], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
                yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            index += 1

    frames = stored(images())
    return time.process_time() - begin, frames, cv2.__version__


def ffmpeg(path, times, binary="ffmpeg"):
    step = times[1] - times[0]
    filters = f"fps={1 / step}:round=up,scale={SIZE}:{SIZE}:flags=bicubic"
    command = [binary, "-v", "error", "-threads", "1", "-filter_threads", "1", "-i", path, "-vf", filters]
    command += ["-c:v", "mjpeg", "-threads", "1", "-q:v", "3", "-f", "image2pipe", "-"]
    version = subprocess.run([binary, "-version"], capture_output=True, text=True).stdout.split()[2]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    data = subprocess.run(command, capture_output=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, data.count(b"\xff\xd8\xff"), version


if __name__ == "__main__":
    way, path, times = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    if way.startswith("ffmpeg"):
        cpu_s, frames, version = ffmpeg(path, times, way.partition(":")[2] or "ffmpeg")
    elif way == "torchcodec approximate":
        cpu_s, frames, version = torchcodec(path, times, "approximate")
    else:
        cpu_s, frames, version = {"torchcodec": torchcodec, "opencv": opencv}[way](path, times)
    sys.stdout.write(json.dumps({"cpu_s": cpu_s, "frames": frames, "version": version}) + "\n")
