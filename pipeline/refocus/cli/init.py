"""`refocus init`: a folder with an editable project."""

import argparse
import sys
from pathlib import Path

from refocus.core.errors import UsageError
from refocus.core.files import write_text
from refocus.core.project import project_root

HELP = "write an editable project: configuration, profiles, where data goes"
DESCRIPTION = """
Writes config.yaml (an overlay to fill in, which runs the synthetic world as it stands), profiles for this machine and
for SLURM, README.md, and the folders data/ and models/. Where one of the files exists, nothing is written.

Example: refocus init my-videos && cd my-videos && refocus run -n
"""
PROFILES = ("default", "slurm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of the project; made where there is none")


def run(args: argparse.Namespace) -> None:
    """Writes the project.

    Raises:
        UsageError: one of its files is there already.
    """
    texts = {args.folder / name: text for name, text in project_files().items()}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise UsageError(f"{', '.join(there)}: there already, and never overwritten; name another folder")
    for path, text in texts.items():
        write_text(path, text)
    for name in ("data", "models"):
        (args.folder / name).mkdir(exist_ok=True)
    sys.stdout.write(f"{args.folder}: fill in config.yaml; README.md there says what comes next\n")


def project_files() -> dict[str, str]:
    """Texts of a project's files by their path in it: the templates and the profiles."""
    root = project_root()
    templates = sorted((root / "workflow" / "new_project").iterdir())
    files = {path.name: path.read_text(encoding="utf-8") for path in templates}
    for name in PROFILES:
        path = f"profiles/{name}/profile.yaml"
        files[path] = (root / path).read_text(encoding="utf-8")
    return files
