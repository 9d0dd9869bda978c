"""`refocus push`: a trained policy, with its model card and where it comes from, to the Hugging Face hub."""

import argparse
import sys
from pathlib import Path

from refocus.cli.flags import local_path

HELP = "upload a trained policy with its model card to the Hugging Face hub"
DESCRIPTION = """\
In:  the folder policy/ or best/ of a training run, as training wrote it; a changed README.md is fine.
Out: a model repository of the hub: weights, tokenizer, selection.json, SHA256SUMS, provenance.json and the card. What
     will be uploaded is shown first. A folder that lacks a file, or has another one than training wrote, is refused.

HF_TOKEN, or `hf auth login`, says who uploads. docs/library.md says what is in the card.

  refocus push results/train/demo/policy OWNER/NAME --dry-run
  refocus push results/train/demo/policy OWNER/NAME --private --tables results/tables --license apache-2.0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("folder", type=local_path, metavar="FOLDER", help="the policy's folder")
    parser.add_argument("repo_id", metavar="OWNER/NAME", help="the repository; made if it is not there yet")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--tables", type=local_path, metavar="DIR", help="tables to add, such as <results>/tables")
    parser.add_argument(
        "--license", metavar="ID", help="licence of the weights as the hub writes it, such as apache-2.0"
    )
    parser.add_argument("--message", metavar="TEXT", help="of the commit")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be uploaded, and the card; upload nothing"
    )


def run(args: argparse.Namespace) -> None:
    """Shows and uploads."""
    from refocus.core.checksums import CARD
    from refocus.core.errors import UsageError
    from refocus.core.model_folder import no_such_folder
    from refocus.policy.hub import prepare

    folder = Path(args.folder).expanduser()
    if not folder.is_dir():
        raise UsageError(no_such_folder(folder))
    upload = prepare(folder, args.repo_id, args.tables, args.license)
    sizes = upload.sizes()
    kind = " (private if it is new)" if args.private else ""
    sys.stdout.write(f"{args.repo_id}{kind}: {len(sizes)} files, {sum(sizes.values()):,} bytes\n")
    sys.stdout.write("".join(f"  {size:>14,}  {name}\n" for name, size in sizes.items()))
    if args.dry_run:
        card = upload.files[CARD]
        sys.stdout.write(f"\n{card.decode() if isinstance(card, bytes) else ''}")
        return
    sys.stdout.flush()
    sys.stdout.write(upload.push(private=True if args.private else None, message=args.message) + "\n")
