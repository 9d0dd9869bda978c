"""Jobs that hang, crash or eat memory lose themselves and nothing else."""

import os
import signal
import threading
import time

import pytest
from refocus.frames.decode_clip import StoredClip
from refocus.video.workers import LostJob, run_jobs


def misbehave(job, heartbeat):
    heartbeat()
    if job == "hang":
        time.sleep(60)
    if job == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if job == "raise":
        raise ValueError("bad file")
    if job == "memory":
        return len(bytearray(8 << 30))
    if job == "slow":
        for _ in range(24):  # six seconds
            time.sleep(0.25)
            heartbeat()
    return f"done {job}"


@pytest.mark.slow
def test_results_come_in_order_whatever_happens():
    """Every job has its result or its reason, in order; a slow job that shows life is not killed."""
    jobs = ["a", "hang", "crash", "b", "raise", "memory", "slow", "c"]
    got = dict(run_jobs(misbehave, jobs, workers=2, timeout_s=4, memory_mb=2048))
    assert list(got) == list(range(len(jobs)))
    results = dict(zip(jobs, got.values(), strict=True))
    assert [results[job] for job in ("a", "b", "slow", "c")] == ["done a", "done b", "done slow", "done c"]
    for job, reason in {"hang": "sign of life", "crash": "signal 11", "raise": "bad file", "memory": "memory"}.items():
        assert isinstance(results[job], LostJob)
        assert reason in results[job].reason


def test_workers_end_with_the_iteration():
    """Leaving the loop early leaves no process behind."""
    import multiprocessing

    results = run_jobs(misbehave, ["a", "slow", "slow"], workers=2, timeout_s=10)
    assert next(results) == (0, "done a")
    results.close()
    assert not multiprocessing.active_children()


def noted(job, heartbeat):
    """A megabyte, and a file that says so; the first job waits for the order to end."""
    folder, number = job
    (folder / f"{number}").touch()
    while number == 0 and not (folder / "go").exists():
        time.sleep(0.02)
        heartbeat()
    return StoredClip({}, [bytes([number]) * 2**19] * 2)


def test_results_that_wait_are_bounded_by_their_bytes(tmp_path):
    """Behind a slow job others go on until their results weigh enough, then wait; the order stays."""
    counts: list[int] = []

    def release():
        until = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 6 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1.0)  # time enough for more of them
        counts.append(len(list(tmp_path.iterdir())))
        (tmp_path / "go").touch()

    threading.Thread(target=release).start()
    got = list(run_jobs(noted, [(tmp_path, number) for number in range(40)], 2, 90, held_bytes=5 * 2**20))
    assert [number for number, _ in got] == list(range(40))
    assert all(clip.files == [bytes([number]) * 2**19] * 2 for number, clip in got)
    assert counts == [6]  # the slow one, and five whose results are held


def imported(job, heartbeat):
    import sys

    import refocus.frames.decode_clip  # noqa: F401

    return [name for name in ("torch", "transformers", "webdataset", "pyarrow", "pandas") if name in sys.modules]


@pytest.mark.parametrize("workers", [1])
def test_a_decode_worker_never_imports_torch(workers):
    """Importing torch would cost each worker more than a short clip does, pyarrow 30 MB."""
    assert list(run_jobs(imported, [0], workers, 30)) == [(0, [])]
