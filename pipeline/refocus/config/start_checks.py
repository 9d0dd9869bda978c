"""What the Snakefile checks before anything is planned, and how it ends where that fails."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from refocus.config.code_digest import imports
from refocus.config.formats import adapter_module
from refocus.config.root import Root
from refocus.core.errors import RefocusError, UsageError
from refocus.core.results_folder import WORLD

PLACEHOLDER = "YOUR_ACCOUNT"
IMAGE = "REFOCUS_IMAGE"  # environment variable: the container that `--sdm apptainer` runs jobs in


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Ends Snakemake with one line and our exit status where an error of ours comes up, without a trace."""
    try:
        yield
    except RefocusError as error:
        sys.stderr.write(f"refocus: error: {error}\n")
        raise SystemExit(error.exit_code) from None


def check_adapters(settings: Root) -> None:
    """Looks for the adapters of the sources in use, without importing them.

    Raises:
        UsageError: one is not there; names the source and its format.
    """
    for name in (*settings.use.datasets, *settings.use.benchmarks, *settings.use.haystacks):
        format = settings.source(name).format
        try:
            imports(adapter_module(format))
        except UsageError as error:
            raise UsageError(f"{name}: format {format}: {error}") from None


def check_world(settings: Root) -> None:
    """Refuses sources of the synthetic world where `world: null` says that it is not to be rendered.

    Raises:
        UsageError: names them, and where they are used.
    """
    for role in ("datasets", "benchmarks") if settings.world is None else ():
        drawn = [
            name for name in getattr(settings.use, role) if f"{settings.source(name).videos}/".startswith(f"{WORLD}/")
        ]
        gone = [name for name in drawn if not any(path.exists() for path in settings.annotations_of(name))]
        if gone:
            left_out = f"{', '.join(gone)}: of the synthetic world, which world: null leaves out"
            raise UsageError(f"use.{role}: {left_out}; name {role} of your own there")


def mixed_world(settings: Root) -> str:
    """What to say where real training data would be judged in the synthetic world; empty where it would not."""
    own = [name for name in settings.use.datasets if not settings.is_rendered(name)]
    drawn = [name for name in settings.use.benchmarks if settings.is_rendered(name)]
    if not own or not drawn:
        return ""
    fix = "set world: null, and name benchmarks of your own under use.benchmarks"
    return f"{', '.join(own)} would be judged by {', '.join(drawn)}, which are of the synthetic world: {fix}"


def check_site(default_resources: Mapping[str, Any]) -> None:
    """Refuses a cluster profile whose site was never filled in; SLURM itself may take any account.

    Args:
        default_resources: what every job asks for, as Snakemake holds it or as plain values.
    Raises:
        UsageError: the account is the one that profiles/slurm ships with.
    """
    account = default_resources.get("slurm_account")
    if getattr(account, "raw", account) == PLACEHOLDER:
        raise UsageError(
            f"the account is still {PLACEHOLDER}: put your site's account and partitions at the top of the profile "
            "(profiles/slurm/profile.yaml)"
        )


def check_image(methods: Iterable[object], image: str | None) -> None:
    """Refuses to run jobs in containers while no image is named: they would run outside, with whatever is there.

    Args:
        methods: what `--sdm` names, as Snakemake holds it.
        image: the value of `IMAGE`.
    Raises:
        UsageError: containers are asked for without an image.
    """
    if "apptainer" in map(str, methods) and not image:
        raise UsageError(f"--sdm apptainer: name the image in the environment variable {IMAGE} (docs/cluster.md)")
