"""`refocus ingest`: reads one data set's or benchmark's own annotation files into the common tables."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from refocus.cli.flags import add_settings, local_path, read_settings
from refocus.config.formats import BUILT_IN
from refocus.config.ingest import IngestSettings
from refocus.config.parsing import parse_json
from refocus.core.errors import RefocusError, UsageError

HELP = "annotation files of a data set or benchmark -> questions, rejects, clips"
DESCRIPTION = """
Reads a data set's annotation files as they are published and writes NAME.parquet (questions), NAME.rejects.parquet
(every row that is not usable, with its reason), NAME.clips.parquet (what to decode) and one list of clips and of
questions per shard in shards/NAME/. Videos are looked up below --videos by path, else by the same name with another
extension or case; a missing video is reported here and fails alone in `decode`. A clip keeps its shard when the data
grows. Paper 4.1 and appendix A.

`refocus ingest FORMAT --help` says at its end which files FORMAT takes, where its videos lie, and what its options are.

Example: refocus ingest nextqa --annotations val.csv --videos NExTQA --name nextqa --out results/qa
"""
OWN_HELP = True


class FormatHelp(argparse.Action):
    """The command's help and, behind a format, what its adapter says of itself."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        """Prints both and ends."""
        parser.print_help()
        if name := getattr(namespace, "format", None):
            try:
                text = _about(name)
            except RefocusError as error:
                parser.error(str(error))
            sys.stdout.write(f"\n{text}")
        parser.exit()


def _about(name: str) -> str:
    """The description of a format's adapter, its files and its options."""
    from refocus.qa.adapters import adapter

    found = adapter(name)
    files = f"\n--annotations takes {found.files}.\n" if found.files else ""
    options = "\n".join(_options(found.option_type, "  "))
    heading = "adapter options (--adapter-options, adapter_options in config.yaml):"
    return f"format {name}:\n{found.about}\n{files}\n{heading}\n{options}\n"


def _options(model: type[BaseModel], indent: str) -> Iterator[str]:
    """A line for each option; those inside one are indented."""
    for name, field in model.model_fields.items():
        yield f"{indent}{name}: {field.description or ''}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _options(field.annotation, f"{indent}  ")


def _annotation_path(text: str) -> Path:
    """A path; the name of a format is taken for one where it stands behind --annotations."""
    path = local_path(text)
    if text in BUILT_IN and not path.exists():
        fix = f"FORMAT stands before the flags: refocus ingest {text} --annotations …"
        raise argparse.ArgumentTypeError(f"'{text}' is a format and no file; {fix}")
    return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("-h", "--help", action=FormatHelp, help="show this help message and, behind FORMAT, its own")
    formats = f"{', '.join(sorted(BUILT_IN))}; one that an installed package brings; or module:attribute of your own"
    parser.add_argument("format", metavar="FORMAT", help=formats)
    parser.add_argument(
        "--annotations",
        metavar="PATH",
        nargs="+",
        type=_annotation_path,
        required=True,
        help="annotation files, or folders of them",
    )
    parser.add_argument("--videos", metavar="DIR", type=local_path, required=True, help="data root; paths stay inside")
    parser.add_argument(
        "--allowed-roots",
        metavar="DIR",
        nargs="+",
        type=local_path,
        default=[],
        help="folders elsewhere that symbolic links below --videos may lead into (default: none)",
    )
    parser.add_argument("--name", required=True, help="the data set's name in every table")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the tables go")
    parser.add_argument("--limit", metavar="N", type=int, help="read only the first N rows (default: all)")
    parser.add_argument("--adapter-options", metavar="JSON", help='adapter options, such as {"split": "train"}')
    parser.add_argument("--shards", metavar="N", type=int, help="write exactly N shard lists (default: what is needed)")
    parser.add_argument(
        "--planned", metavar="N", type=int, help="fail where more shards have clips, because nothing would read them"
    )
    parser.add_argument(
        "--store", metavar="DIR", type=Path, help="keep the assignment of clips to shards in DIR/shards"
    )
    add_settings(parser, IngestSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the tables of one data set."""
    from refocus.qa.ingest import SourceFiles, ingest

    settings = read_settings(args, IngestSettings)
    options = parse_json(args.adapter_options, "--adapter-options")
    for name in ("limit", "shards"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1, not {value}")
    if not args.name or args.name != Path(args.name).name or args.name.startswith("."):
        raise UsageError(f"--name must be usable as a file name, not {args.name!r}")
    source = SourceFiles(
        name=args.name,
        format=args.format,
        annotations=tuple(args.annotations),
        videos=args.videos,
        limit=args.limit,
        options=options,
        allowed_roots=tuple(args.allowed_roots),
    )
    ingest(source, args.out, settings, args.shards, args.store, args.planned)
