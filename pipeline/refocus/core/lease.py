"""A folder that one process at a time may work in, on whichever machine of a cluster it runs.

The lease is a lock (flock) on a file in the folder: the kernel gives it back when its holder ends, however it ends, so
that nothing has to expire or be cleaned up. What is written in the file only says who holds it.
"""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from refocus.core.errors import RefocusError

LEASE = "in-use-by"
PATIENCE_S = 60.0  # a scheduler starts a job again while the old one is still being ended (KillWait, 30 s)
POLL_S = 1.0
_NO_LOCKS_HERE = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # Lustre mounted without `flock`, for one

log = logging.getLogger(__name__)


@contextlib.contextmanager
def lease(folder: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Holds the folder, which is made if need be; waits for a holder that is about to end.

    Raises:
        RefocusError: another process still holds it after `patience_s`; says which, and how to end it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LEASE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(file, folder, patience_s)
        os.ftruncate(file, 0)
        os.write(file, _holder().encode())
        yield
    finally:
        os.close(file)


def _lock(file: int, folder: Path, patience_s: float) -> None:
    until, told = time.monotonic() + patience_s, False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(file, 1000, 0).decode(errors="replace").strip() or "another process"
            if time.monotonic() >= until:
                raise RefocusError(
                    f"{folder} is in use by {holder}: let that end or end it, then start again"
                ) from None
            if not told:
                log.warning("waiting for %s, which uses %s", holder, folder)
                told = True
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
            log.warning(
                "%s: no locks on this file system (%s); start nothing else that uses it", folder, error.strerror
            )
            return
        time.sleep(POLL_S)


def _holder() -> str:
    """Who this is, with the command that ends it."""
    job = os.environ.get("SLURM_JOB_ID")
    slurm = f", SLURM job {job} (`scancel {job}`)" if job else ""
    return f"process {os.getpid()} on {socket.gethostname()}{slurm}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
