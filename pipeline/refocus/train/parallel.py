"""Several processes sharing one batch: started here on one machine, or by torchrun on many."""

import contextlib
import dataclasses
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from refocus.core.disk import refusal
from refocus.core.errors import RefocusError

log = logging.getLogger(__name__)

TIMEOUT = timedelta(minutes=30)
BUCKET = 2**24  # gradients in one message
GRACE_S = 2  # for other processes to end by themselves when one has failed


@dataclasses.dataclass(frozen=True)
class Ranks:
    """This process among `world`; alone, every operation is the identity."""

    rank: int = 0
    world: int = 1
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Adds up all processes' gradients in place; one that only some have counts as zero in the others."""
        if self.world == 1:
            return
        for bucket in _buckets(self.fill_gradients(parameters)):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            for gradient, part in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def fill_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> list[torch.Tensor]:
        """The gradients that some process has, of zeros where this one has none."""
        parameters = list(parameters)
        present = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=self.device)
        dist.all_reduce(present, dist.ReduceOp.MAX)
        found = [parameter for parameter, somewhere in zip(parameters, present.tolist(), strict=True) if somewhere]
        gradients = []
        for parameter in found:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        return gradients

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in rank order, on all of them."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value, group=_side_channel())
        return values

    def wait(self) -> None:
        """Returns when every process is here."""
        if self.world > 1:
            dist.barrier(group=_side_channel())


@contextlib.contextmanager
def joined(rank: int, world: int, device: str, meeting: str) -> Iterator[Ranks]:
    """Joins the group of processes that meet at `meeting` (an init method of torch.distributed).

    Args:
        device: "cpu", "cuda" or "auto"; with GPUs, each local process takes one.
    """
    use_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank))) if use_gpu else torch.device("cpu")
    if use_gpu:
        torch.cuda.set_device(place)
    if world == 1:
        yield Ranks(0, 1, place)
        return
    backend = "nccl" if use_gpu else "gloo"
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=world, timeout=TIMEOUT)
    try:
        yield Ranks(rank, world, place)
    finally:
        _CHANNEL.clear()
        dist.destroy_process_group()


def launch(work: Callable[[Ranks, Any], None], job: Any, processes: int, device: str) -> None:
    """Runs `work(ranks, job)` in `processes` processes, this one being the first; under torchrun, in torchrun's.

    torchrun's environment (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) says how many there are, on one
    machine or several. `work` and `job` must pickle. An error in this process ends the others.
    """
    if "WORLD_SIZE" in os.environ and "RANK" in os.environ:
        rank = int(os.environ["RANK"])
        if rank:
            logging.getLogger().setLevel(logging.ERROR)
        with joined(rank, int(os.environ["WORLD_SIZE"]), device, "env://") as ranks:
            work(ranks, job)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        context = mp.get_context("spawn")
        others = [
            context.Process(target=_other, args=(work, job, rank, processes, device, meeting), daemon=True)
            for rank in range(1, processes)
        ]
        for process in others:
            process.start()
        try:
            with joined(0, processes, device, meeting) as ranks:
                work(ranks, job)
        except BaseException as error:
            for process in others:
                process.join(GRACE_S)
            dead = [rank for rank, process in enumerate(others, 1) if process.exitcode not in (None, 0)]
            for process in others:
                process.terminate()
            for process in others:
                process.join(GRACE_S)
                process.kill()  # one in the middle of a step remembers the signal, and waits for this process
            if dead and not isinstance(error, RefocusError) and refusal(error) is None:
                raise RefocusError(f"worker process {dead[0]} died; what it said stands above") from error
            raise
        finally:
            for process in others:
                process.join()


def _other(work: Callable[[Ranks, Any], None], job: Any, rank: int, world: int, device: str, meeting: str) -> None:
    logging.basicConfig(level=logging.ERROR, format=f"train[{rank}]: %(message)s")
    try:
        with joined(rank, world, device, meeting) as ranks:
            work(ranks, job)
    except RefocusError as error:
        log.error("error: %s", error)
        sys.exit(error.exit_code)


def _buckets(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Runs of tensors that are sent as one message."""
    bucket: list[torch.Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.numel() for t in bucket) + tensor.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


_CHANNEL: list[Any] = []


def _side_channel() -> Any:
    """A CPU group for small objects: the default group where it is gloo, else one made once."""
    if not _CHANNEL:
        _CHANNEL.append(None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo", timeout=TIMEOUT))
    return _CHANNEL[0]
