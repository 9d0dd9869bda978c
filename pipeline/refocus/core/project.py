"""Where the project's own files are: the workflow, the default configuration, the tiny models.

A checkout has them in the repository; a wheel carries them inside the package, laid out the same way.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
OVERLAYS = "config"  # a configuration file below it may be one that comes with the project


def project_root() -> Path:
    """The folder that holds Snakefile, config.yaml, config/, workflow/, profiles/ and assets/."""
    return PACKAGE / "project" if is_installed() else PACKAGE.parents[1]


def is_installed() -> bool:
    """Whether the package comes from a wheel, so that the project's files are not the user's to edit."""
    return (PACKAGE / "project").is_dir()


def source_root() -> Path:
    """A folder for PYTHONPATH in which the package `refocus` can be found and nothing else.

    The folder an installed package lies in would bring everything installed beside it into another environment.
    """
    return project_root() / "workflow" / "installed" if is_installed() else PACKAGE.parent


def default_config() -> Path:
    """config.yaml, which every overlay is laid over; relative where it lies in the current folder."""
    path = project_root() / "config.yaml"
    return path.relative_to(Path.cwd()) if path.parent == Path.cwd() else path


def default_overlays() -> list[Path]:
    """What is laid over config.yaml where no overlay is named: the current folder's own config.yaml, if it has one."""
    mine = Path("config.yaml")
    return [mine] if mine.is_file() and not mine.samefile(default_config()) else []


def overlay_file(path: str | os.PathLike[str]) -> Path:
    """An overlay as written; `config/…` also names one that comes with the project."""
    path = Path(path)
    own = project_root() / path
    return own if path.parts[:1] == (OVERLAYS,) and not path.exists() and own.is_file() else path
