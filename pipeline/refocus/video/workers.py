"""Killable worker processes: a job that hangs, crashes or exhausts memory takes nothing else down.

Workers are fresh interpreters that import only the job's own modules, so a decode worker never imports torch.
"""

import contextlib
import multiprocessing
import resource
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

HEARTBEAT_S = 0.5  # a worker reports at most this often that it is alive
START_S = 60.0  # a worker may take this long to load its modules, from a network disk under load
HELD_BYTES = 256 << 20  # of results that wait for a slow job before them: some 20 clips of 512 JPEGs
_HEARTBEAT, _DONE = "heartbeat", "done"
Work = Callable[[Any, Callable[[], None]], Any]


@dataclass(frozen=True)
class LostJob:
    """What comes instead of a result when the job raised, or its worker died or was killed."""

    reason: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: int | None = None
    alive_at: float = field(default_factory=time.monotonic)
    started: bool = False

    def deadline(self, timeout_s: float) -> float:
        """When it has been silent for too long."""
        return self.alive_at + (timeout_s if self.started else max(timeout_s, START_S))


def run_jobs(
    work: Work,
    jobs: Sequence[Any],
    workers: int,
    timeout_s: float,
    memory_mb: int | None = None,
    held_bytes: int = HELD_BYTES,
) -> Iterator[tuple[int, Any]]:
    """Runs `work(job, heartbeat)` for every job; yields (index of the job, result or `LostJob`) in the jobs' order.

    Args:
        work: a module-level function; it calls `heartbeat()` now and then.
        jobs: picklable arguments.
        workers: processes at a time.
        timeout_s: seconds without a heartbeat after which a worker is killed.
        memory_mb: address space a worker may use, MB; None = no limit.
        held_bytes: no job is begun while finished results of this size, by their `nbytes`, wait for an earlier one;
            those under way come on top.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(range(len(jobs)))
    done: dict[int, Any] = {}
    turn = held = 0
    crew: list[_Worker] = []
    try:
        while turn < len(jobs):
            while turn in done:
                outcome = done.pop(turn)
                held -= _size(outcome)
                yield turn, outcome
                turn += 1
            for worker in crew:
                if worker.job is None and waiting and held < held_bytes:
                    _give(worker, waiting, jobs)
            while len(crew) < workers and waiting and held < held_bytes:
                crew.append(_hire(context, work, memory_mb))
                _give(crew[-1], waiting, jobs)
            busy = {worker.job: worker for worker in crew if worker.job is not None}
            if not busy:
                continue
            deadline = min(worker.deadline(timeout_s) for worker in busy.values())
            ready = wait([worker.pipe for worker in busy.values()], max(0.0, deadline - time.monotonic()))
            for job, worker in busy.items():
                outcome = _listen(worker, timeout_s, worker.pipe in ready)
                if outcome is None:
                    continue
                done[job] = outcome[0]
                held += _size(outcome[0])
                worker.job = None
                if outcome[1]:
                    crew.remove(worker)
    finally:
        for worker in crew:
            _dismiss(worker)


def _hire(context: Any, work: Work, memory_mb: int | None) -> _Worker:
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, work, memory_mb), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def _give(worker: _Worker, waiting: deque[int], jobs: Sequence[Any]) -> None:
    worker.job = waiting.popleft()
    worker.alive_at = time.monotonic()
    with contextlib.suppress(OSError):  # if it died, the next look at its pipe says so
        worker.pipe.send(jobs[worker.job])


def _listen(worker: _Worker, timeout_s: float, ready: bool) -> tuple[Any, bool] | None:
    """(result or LostJob, whether the worker is gone), or None while the job goes on."""
    if ready:
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            return LostJob(_died(worker.process.exitcode)), True
        worker.alive_at, worker.started = time.monotonic(), True
        return None if kind == _HEARTBEAT else (value, False)
    if time.monotonic() >= worker.deadline(timeout_s):
        _dismiss(worker)
        return LostJob(f"gave no sign of life for {timeout_s:g} s and was stopped"), True
    return None


def _size(outcome: Any) -> int:
    return getattr(outcome, "nbytes", 0)


def _died(code: int | None) -> str:
    return f"the process died of signal {-code}" if code and code < 0 else f"the process ended with status {code}"


def _dismiss(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _serve(pipe: Connection, work: Work, memory_mb: int | None) -> None:
    """A worker's life: one job after the other until the pipe closes."""
    if memory_mb is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    last = 0.0

    def heartbeat() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= HEARTBEAT_S:
            last = now
            pipe.send((_HEARTBEAT, None))

    try:
        pipe.send((_HEARTBEAT, None))
        while True:
            job = pipe.recv()
            try:
                outcome = work(job, heartbeat)
            except MemoryError:
                outcome = LostJob("out of memory")
            except (EOFError, BrokenPipeError):
                return
            except Exception as error:  # whatever one file does must not stop the others
                outcome = LostJob(f"{type(error).__name__}: {error}")
            pipe.send((_DONE, outcome))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
