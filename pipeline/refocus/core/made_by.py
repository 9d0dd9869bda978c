"""What a job is run by: version, commit, packages and processor, for its log."""

import functools
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from refocus import __version__
from refocus.core.project import is_installed, project_root

JOB = "REFOCUS_JOB"  # set where a rule runs the command, whose log then begins with this
PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "pyarrow",
    "av",
    "pillow",
    "scipy",
    "mamba-ssm",
    "flash-attn",
    "snakemake",
)
CPUINFO = Path("/proc/cpuinfo")


def made_by() -> dict[str, Any]:
    """refocus' version and commit, Python, the packages that decide numbers, and the processor; None: not known."""
    return {
        "refocus": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "processor": processor(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


@functools.cache
def commit() -> str | None:
    """Of the checkout that runs, with `+` behind it where files differ from it; None outside a checkout."""
    if is_installed():
        return None
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return None
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


@functools.cache
def processor() -> str | None:
    """The CPU's name, and the GPUs' where torch has found any."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")][:1]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        names += [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return ", ".join(names) or platform.processor() or None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project_root()), *words], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpuinfo() -> list[str]:
    try:
        return CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
