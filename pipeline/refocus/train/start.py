"""Starts a training job in its processes, once everything it needs is known to be there."""

from refocus.core.devices import claim
from refocus.core.errors import ResourceMissing
from refocus.train.job import TrainingJob
from refocus.train.wandb_mirror import library


def start(job: TrainingJob) -> None:
    """Trains, in as many processes as the job's runtime says.

    Raises:
        UsageError: a package that the runtime asks for is not installed.
        ResourceMissing: a GPU is asked for and none is free.
    """
    runtime = job.settings.runtime
    library(runtime)  # before anything is loaded
    claim(runtime.device, runtime.processes)

    import torch  # which must see only the GPUs that were claimed

    from refocus.train.parallel import launch
    from refocus.train.run import work

    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ResourceMissing("no CUDA device is visible; set train.runtime.device to cpu or use a machine with a GPU")
    if runtime.strategy == "deepspeed":
        from refocus.train import deepspeed_zero

        deepspeed_zero.load(runtime.device)  # before models are loaded
    launch(work, job, runtime.processes, runtime.device)
