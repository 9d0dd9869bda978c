"""A SLURM of one's own on this machine: controller and nodes on the loopback, GPUs that are null devices.

Nothing of the system is touched: configuration, keys, sockets, logs and state lie in one folder, and all daemons end
with the `with` block. Nodes claim more cores and memory than there are, so that jobs for large machines are accepted.
"""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
NODES, GPUS, CORES, MEMORY_MB = 2, 8, 128, 512_000

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool.%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
KillWait={kill_wait_s}
MinJobAge=600
ReturnToService=2
MpiDefault=none
GresTypes=gpu
{nodes}
PartitionName=cpu Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=gpu Nodes=ALL State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL State=UP PriorityTier=9 PreemptMode=OFF
"""


@dataclass(frozen=True)
class Slurm:
    """A running SLURM.

    Attributes:
        environment: with which its commands find it, in every process below.
    """

    home: Path
    environment: Mapping[str, str]

    def command(self, *words: str) -> str:
        """What one of SLURM's commands prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        done = subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def job(self, job: str) -> dict[str, str]:
        """What the controller knows of a job: `JobState`, `TresPerNode`, …"""
        shown = self.command("scontrol", "--oneliner", "show", "job", job)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def logs(self) -> str:
        """The ends of the daemons' logs, for a test that fails."""
        return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in sorted(self.home.glob("*.log")))


def missing() -> str:
    """Why there can be no SLURM here; empty if there can."""
    lacking = [name for name in (*DAEMONS, *COMMANDS) if shutil.which(name, path=_path()) is None]
    if lacking:
        return f"no {', '.join(lacking)} (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "needs root, who may start slurmd and make devices"


@contextlib.contextmanager
def running(home: Path, kill_wait_s: int = 30) -> Iterator[Slurm]:
    """Starts SLURM and yields it when its nodes are idle; `home` should have a short path, for its sockets."""
    with contextlib.ExitStack() as daemons:
        environment = _prepare(home, kill_wait_s)
        _start(daemons, ["munged", "--foreground", *_munge(home)], environment)
        _until((home / "munge.socket").exists, "munged")
        _start(daemons, ["slurmctld", "-D", "-i"], environment)
        for node in _names():
            _start(daemons, ["slurmd", "-D", "-N", node], environment)
        slurm = Slurm(home, environment)
        _until(lambda: _idle(slurm) == NODES, "its nodes", slurm)
        yield slurm


def _prepare(home: Path, kill_wait_s: int) -> dict[str, str]:
    for name in ("state", "bin", *(f"spool.{node}" for node in _names())):
        (home / name).mkdir(parents=True)
    key = home / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    for number in range(GPUS):
        os.mknod(home / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    host = socket.gethostname().partition(".")[0]
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={_free_port()} CPUs={CORES} "
        f"RealMemory={MEMORY_MB} Gres=gpu:{GPUS} State=UNKNOWN"
        for node in _names()
    )
    text = CONFIGURATION.format(home=home, host=host, port=_free_port(), nodes=nodes, kill_wait_s=kill_wait_s)
    (home / "slurm.conf").write_text(text)
    (home / "gres.conf").write_text(f"NodeName={','.join(_names())} Name=gpu File={home}/gpu[0-{GPUS - 1}]\n")
    (home / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    # In a job only these wrappers find the controller: Snakemake's executor takes SLURM_CONF out of the environment.
    for name in COMMANDS:
        wrapper = home / "bin" / name
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={home}/slurm.conf exec {shutil.which(name, path=_path())} "$@"\n')
        wrapper.chmod(0o755)
    return {**os.environ, "SLURM_CONF": str(home / "slurm.conf"), "PATH": f"{home}/bin:{_path()}"}


def _munge(home: Path) -> list[str]:
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return ["--force", *(f"--{flag}={home}/munge.{suffix}" for flag, suffix in files.items())]


def _start(daemons: contextlib.ExitStack, words: list[str], environment: Mapping[str, str]) -> None:
    name = "-".join(word for word in words if not word.startswith(("-", "/")))
    output = daemons.enter_context((Path(environment["SLURM_CONF"]).parent / f"{name}.out.log").open("wb"))
    words = [shutil.which(words[0], path=environment["PATH"]) or words[0], *words[1:]]
    process = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
    daemons.callback(_end, process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _idle(slurm: Slurm) -> int:
    try:
        return (
            slurm.command("sinfo", "--noheader", "--Node", "--partition", "cpu", "--format", "%t").split().count("idle")
        )
    except subprocess.CalledProcessError:
        return 0


def _until(holds, what: str, slurm: Slurm | None = None, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"SLURM: {what} did not start in {seconds:.0f} s\n{slurm.logs() if slurm else ''}")
        time.sleep(0.2)


def _names() -> list[str]:
    return [f"n{number}" for number in range(1, NODES + 1)]


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/usr/bin"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
