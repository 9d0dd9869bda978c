"""A `python` that starts `-m refocus` and `-m snakemake` in milliseconds.

A stage spends seconds on importing torch and transformers before it does a test's little work, and a dry run of
Snakemake on imports and on the digests of our sources. Here one server has loaded all that and forks for every call;
the `python` that tests and Snakemake's jobs call only hands over its words, folder, environment and streams, and ends
with the command's exit status. The rules, their shell commands and the stages' code are the real ones.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

CLIENT = """\
#!{python} -IS
import json, os, socket, sys
words = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "environment": dict(os.environ)}}
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"+"], [0, 1, 2])
server.sendall(json.dumps(words).encode())
server.shutdown(socket.SHUT_WR)
status = server.recv(8)
sys.exit(int(status) if status else 137)
"""
JOBS_PYTHON = "JOBS_PYTHON"  # environment variable: the interpreter that Snakemake is told it runs in, for its jobs
MAINS = {"refocus": "refocus.cli.main", "snakemake": "snakemake.cli"}
LOADED = [
    *MAINS.values(),
    "matplotlib.pyplot",
    "refocus.lmm",
    "refocus.report.tables",
    "refocus.train.loop",
    "refocus.world.base_policy",
    "scipy.stats",
    "snakemake.api",
    "snakemake.dag",
    "snakemake.workflow",
    "torch._dynamo",
    "transformers.models.internvl.modeling_internvl",
    "transformers.models.qwen2.modeling_qwen2",
    "transformers.models.siglip.modeling_siglip",
]


@functools.cache
def forked_python() -> Path:
    """That `python`, in a folder of its own; its server starts with the first call and ends with this process."""
    folder = Path(tempfile.mkdtemp())
    address, python = str(folder / "socket"), folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(CLIENT.format(python=sys.executable, address=address))
    python.chmod(0o755)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "tests.support.forked_python", address]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert server.stdin is not None and server.stdout is not None and server.stdout.readline() == b"ready\n"
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    return python


def serve(address: str) -> None:
    """Forks for every connection, until standard input ends."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in LOADED:
        importlib.import_module(name)
    from refocus.cli.main import COMMANDS
    from refocus.config.code_digest import sources

    sources(*COMMANDS.values())  # remembered, as in one run of Snakemake
    signal.signal(signal.SIGCHLD, _bury)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        client, _ = listener.accept()
        if os.fork():
            client.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        client.sendall(str(_run(client)).encode())
        os._exit(0)


def _bury(*_: object) -> None:
    """Takes note of the commands that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(client: socket.socket) -> int:
    """Takes over the caller's streams, folder and environment and runs its command; the exit status."""
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    call = json.loads(b"".join(iter(lambda: client.recv(65536), b"")))
    for stream, own in zip(streams, (0, 1, 2), strict=True):
        os.dup2(stream, own)
        os.close(stream)
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.path[:0] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder not in sys.path]
    flag, module, *argv = call["argv"]
    assert flag == "-m", call["argv"]
    sys.argv = [module, *argv]
    sys.executable = call["environment"].get(JOBS_PYTHON, sys.executable)
    try:
        status = importlib.import_module(MAINS[module]).main(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    for own in (0, 1, 2):
        os.close(own)  # so that whoever reads from it, as `tee` behind a job, sees its end
    return status or 0


if __name__ == "__main__":
    serve(sys.argv[1])
