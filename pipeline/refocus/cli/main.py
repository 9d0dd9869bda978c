"""The command line: `refocus STAGE …`, one module per stage, loaded only when its stage is called."""

import argparse
import contextlib
import faulthandler
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from refocus import __version__
from refocus.cli.renamed_flags import current_flags
from refocus.core.disk import advice as disk_advice
from refocus.core.disk import refusal
from refocus.core.errors import RefocusError, UsageError
from refocus.core.extras import advice
from refocus.core.files import canonical
from refocus.core.made_by import JOB, made_by

COMMANDS = {
    "run": "refocus.cli.run",
    "why": "refocus.cli.why",
    "init": "refocus.cli.init",
    "world": "refocus.cli.world",
    "niah": "refocus.cli.niah",
    "ingest": "refocus.cli.ingest",
    "screen": "refocus.cli.screen",
    "decode": "refocus.cli.decode",
    "verify-frames": "refocus.cli.verify_frames",
    "reward": "refocus.cli.reward",
    "filter": "refocus.cli.filter",
    "train": "refocus.cli.train",
    "replay": "refocus.cli.replay",
    "push": "refocus.cli.push",
    "embed": "refocus.cli.embed",
    "certainty": "refocus.cli.certainty",
    "select": "refocus.cli.select",
    "select-benchmark": "refocus.cli.select_benchmark",
    "serve": "refocus.cli.serve",
    "likelihood": "refocus.cli.likelihood",
    "export": "refocus.cli.export",
    "import": "refocus.cli.import_",
    "answer": "refocus.cli.answer",
    "bins": "refocus.cli.bins",
    "tables": "refocus.cli.tables",
    "recall": "refocus.cli.recall",
    "figures": "refocus.cli.figures",
    "report": "refocus.cli.report",
    "summary": "refocus.cli.summary",
    "evidence": "refocus.cli.evidence",
    "study": "refocus.cli.study",
    "assets": "refocus.cli.assets",
    "doctor": "refocus.cli.doctor",
    "plan": "refocus.cli.plan",
    "config": "refocus.cli.config",
    "provenance": "refocus.cli.provenance",
    "check": "refocus.cli.check",
    "gc": "refocus.cli.gc",
}

log = logging.getLogger("refocus")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    A command module has `HELP` (one line), `DESCRIPTION`, `add_arguments(parser)` and `run(args) -> int | None`.
    With `TAKES_ALL` it gets the words behind its name unread, as `args.words`; with `OWN_HELP` it adds `--help` itself.

    Returns:
        0 done, 1 the work failed, 2 bad arguments or configuration, 75 a resource is missing here.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in argv if not word.startswith("-")), None)
    logging.basicConfig(level=logging.INFO, format=f"{command or 'refocus'}: %(message)s", stream=sys.stderr)
    try:
        if argv[:1] == [command]:
            argv = current_flags(argv)
            command = argv[0]
    except UsageError as error:
        log.error("error: %s", error)
        return error.exit_code
    parser, modules = _parser(command)
    args = _parse(parser, modules, argv)
    if args.debug:
        logging.getLogger().setLevel(logging.DEBUG)
    _quieten()
    _say_where_it_crashes()
    if os.environ.get(JOB):
        log.info("made by %s", canonical(made_by()))
    try:
        return modules[args.command].run(args) or 0
    except RefocusError as error:
        if args.debug:
            raise
        log.error("error: %s", error)
        return error.exit_code
    except ModuleNotFoundError as error:
        text = advice(error.name or "")
        if text is None or args.debug:
            raise
        log.error("error: %s", text)
        return UsageError.exit_code
    except BrokenPipeError:
        return 1
    except Exception as error:
        number = refusal(error)
        if number is None or args.debug:
            raise
        where = getattr(error, "filename", None)
        log.error("error: %s%s; %s", f"{where}: " if where else "", os.strerror(number), disk_advice(number))
        return RefocusError.exit_code
    except KeyboardInterrupt:
        log.error("stopped")
        return 130


def _parser(asked: str | None) -> tuple[argparse.ArgumentParser, dict[str, ModuleType]]:
    """The parser with the called command's flags; all commands are loaded only to list them."""
    names = [asked] if asked in COMMANDS else list(COMMANDS)
    modules = {name: importlib.import_module(COMMANDS[name]) for name in names}
    parser = argparse.ArgumentParser(
        prog="refocus", description="Frame selection for video-LMMs (ReFoCUS), stage by stage."
    )
    parser.add_argument("--version", action="version", version=f"refocus {__version__}")
    stages = parser.add_subparsers(dest="command", required=True, metavar="STAGE")
    for name, module in modules.items():
        stage = stages.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=not getattr(module, "OWN_HELP", False),
        )
        stage.add_argument("--debug", action="store_true", help="show debug messages and the trace of an error")
        module.add_arguments(stage)
    return parser, modules


def _parse(parser: argparse.ArgumentParser, modules: dict[str, ModuleType], argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of the called command."""
    if argv and getattr(modules.get(argv[0]), "TAKES_ALL", False) and not {"-h", "--help"} & set(argv[1:2]):
        return argparse.Namespace(command=argv[0], words=list(argv[1:]), debug=False)
    return parser.parse_args(argv)


def _say_where_it_crashes() -> None:
    """A library that brings down the process, as FFmpeg may on a broken video, leaves its place and no bare signal."""
    if not faulthandler.is_enabled():
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # standard error is no file
            faulthandler.enable(all_threads=False)


def _quieten() -> None:
    """Libraries speak up only when something is wrong, and draw no bars into logs."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in ("PIL", "matplotlib", "httpx", "filelock", "urllib3", "transformers", "torch"):
        logging.getLogger(name).setLevel(logging.WARNING)
