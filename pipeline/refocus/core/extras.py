"""Which extra of the distribution brings a package that the core goes without."""

import importlib.util

from refocus.core.errors import UsageError

# pyproject.toml says the same from the other side; a test compares them.
EXTRAS = {
    "snakemake": "workflow",
    "pyarrow": "workflow",
    "pandas": "workflow",
    "tokenizers": "workflow",
    "simplejpeg": "workflow",
    "scipy": "workflow",
    "matplotlib": "workflow",
    "jinja2": "workflow",
    "decord": "decord",
    "gradio": "serve",
    "fastapi": "serve",
    "uvicorn": "serve",
    "wandb": "wandb",
    "deepspeed": "deepspeed",
    "mamba_ssm": "gpu",
    "causal_conv1d": "gpu",
}


def advice(module: str) -> str | None:
    """What to do about a missing module; None for one that no extra brings."""
    package = module.partition(".")[0]
    if package not in EXTRAS:
        return None
    extra = EXTRAS[package]
    return f"the package {package} is not installed; it comes with the extra `{extra}`: {install(extra)}"


def install(extra: str) -> str:
    """How an extra is installed. Not from PyPI, where another project has the name."""
    return f"pip install '.[{extra}]' in a checkout of refocus, or 'WHEEL[{extra}]'"


def require(package: str) -> None:
    """Checks that a package is there without importing it.

    Raises:
        UsageError: it is not; the message says what brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise UsageError(advice(package) or f"the package {package} is not installed")
