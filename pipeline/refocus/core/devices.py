"""One process per GPU: on a machine with several, each process takes devices that no other of this user's has taken.

A device is taken by locking a file named after it (flock), which the kernel unlocks when the process ends, however it
ends. Processes in containers with a /tmp of their own, and other users, do not see these locks.
"""

import fcntl
import logging
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refocus.core.errors import RefocusError, ResourceMissing

VISIBLE = "CUDA_VISIBLE_DEVICES"
LISTING_S = 60.0

_GPU = re.compile(r"^GPU (\d+): .*\(UUID: (GPU-[^)]+)\)")
_PART = re.compile(r"^\s+MIG .*\(UUID: (MIG-[^)]+)\)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    """A GPU, or one part of a GPU that is split (MIG), as `nvidia-smi -L` lists it."""

    index: str  # of the GPU
    gpu: str  # the GPU's UUID
    uuid: str  # its own


def claim(device: str, count: int = 1, folder: Path | None = None) -> None:
    """Takes `count` free GPUs until this process ends and makes CUDA see no others. Call it before torch sees CUDA.

    Nothing happens on a CPU, with a single GPU, where the scheduler has given no more devices than asked for
    (CUDA_VISIBLE_DEVICES), or under torchrun, which deals them itself.

    Args:
        device: `auto`, `cpu` or `cuda`; whether there is a GPU at all is for whoever opens it to say.
        folder: where the locks lie; one per user in /tmp, the same whatever TMPDIR is.
    Raises:
        ResourceMissing: there are fewer GPUs than asked for, or the others are taken.
    """
    given = _given()
    if device == "cpu" or "LOCAL_RANK" in os.environ or (given is not None and len(given) == count):
        return
    here = _visible(devices(), given)
    if not here or len(here) == count == 1:
        return
    if len(here) < count:
        raise ResourceMissing(f"{count} GPUs are asked for, one per process, and {len(here)} visible here")
    taken = _take(here, count, _checked(folder or Path(f"/tmp/refocus-{os.getuid()}")))
    os.environ[VISIBLE] = ",".join(found.uuid for found in taken)
    log.info("GPU %s of %d", ", ".join(found.index for found in taken), len(here))


def devices() -> list[Device]:
    """The GPUs of this machine in the driver's order; none where there is no NVIDIA driver."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=LISTING_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found: list[Device] = []
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        if gpu := _GPU.match(line):
            found.append(Device(gpu[1], gpu[2], gpu[2]))
        elif (part := _PART.match(line)) and found:
            whole = found[-1]
            if whole.uuid == whole.gpu:  # a split GPU is used by its parts only
                found.pop()
            found.append(Device(whole.index, whole.gpu, part[1]))
    return found


def _given() -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES up to the first that hides the rest; None where it is not set."""
    text = os.environ.get(VISIBLE)
    if text is None:
        return None
    entries = [entry.strip() for entry in text.split(",")]
    end = next((n for n, entry in enumerate(entries) if entry in ("", "-1", "NoDevFiles")), len(entries))
    return entries[:end]


def _visible(found: Sequence[Device], given: Sequence[str] | None) -> list[Device]:
    if given is None:
        return list(found)
    return [
        device
        for entry in given
        for device in found
        if entry == device.index or device.uuid.startswith(entry) or device.gpu.startswith(entry)
    ]


def _take(here: Sequence[Device], count: int, folder: Path) -> list[Device]:
    """Locks the first free ones. The open files are this process's hold on them and are never closed."""
    taken: list[Device] = []
    held: list[int] = []
    holders: list[str] = []
    for device in here:
        file = os.open(folder / f"{device.uuid}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holders.append(os.read(file, 32).decode(errors="replace").strip())
            os.close(file)
            continue
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        taken.append(device)
        held.append(file)
        if len(taken) == count:
            return taken
    for file in held:
        os.close(file)
    raise ResourceMissing(
        f"{count} of {len(here)} GPUs asked for, {len(taken)} free; processes {', '.join(holders)} have the others"
    )


def _checked(folder: Path) -> Path:
    """The folder of the locks, this user's own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise RefocusError(f"{folder}: belongs to somebody else, so it cannot hold this user's GPU locks; remove it")
    return folder
