"""Flags that were renamed: the old spelling works for one release, with a warning that says the new one."""

import logging
from collections.abc import Sequence

from refocus.config.renamed import REMOVED_IN, RENAMED
from refocus.core.errors import UsageError

# Beside the flags that follow from renamed settings. `--frames` of train named index files.
FLAGS = {
    "ingest": {"--options": "--adapter-options"},
    "reward": {"--lmm": "--lmm-settings"},
    "train": {"--frames": "--index", "--policy": "--policy-settings"},
    "select-benchmark": {
        "--benchmark": "--qa",
        "--frames-index": "--index",
        "--policy": "--model",
        "--n": "--n-frames",
    },
    "answer": {"--benchmark": "--qa", "--frames-index": "--index", "--lmm": "--model", "--n": "--n-frames"},
    "tables": {"--benchmark": "--qa", "--budget": "--n-frames"},
    "figures": {
        "--benchmark": "--qa",
        "--frames-index": "--index",
        "--pool": "--training-qa",
        "--train": "--runs",
        "--reward": "--reward-settings",
        "--budget": "--n-frames",
    },
    "assets": {"--world": "--world-settings"},
}

COMMANDS = {"select": ("select-benchmark", {"--qa", "--benchmark"})}  # one command once, two now: which flags tell

log = logging.getLogger(__name__)


def current_flags(words: Sequence[str]) -> list[str]:
    """A command line, from the command on, with the new spelling of every flag.

    Raises:
        UsageError: a flag is given in both spellings.
    """
    words = _current_command(words)
    renamed = {**_of_settings(words[0]), **FLAGS.get(words[0], {})} if words else {}
    given = {word.partition("=")[0] for word in words}
    current = []
    for word in words:
        flag, equals, value = word.partition("=")
        new = renamed.get(flag)
        if new in given:
            raise UsageError(f"{flag} is the old spelling of {new}, and both are given: keep the new one")
        if new:
            log.warning("%s is now %s; version %s will refuse the old spelling", flag, new, REMOVED_IN)
        current.append(f"{new}{equals}{value}" if new else word)
    return current


def _current_command(words: Sequence[str]) -> Sequence[str]:
    new, flags = COMMANDS.get(words[0] if words else "", ("", set()))
    if not flags & {word.partition("=")[0] for word in words}:
        return words
    log.warning(
        "refocus %s with a question table is now refocus %s; version %s will refuse the old spelling",
        words[0],
        new,
        REMOVED_IN,
    )
    return [new, *words[1:]]


def _of_settings(command: str) -> dict[str, str]:
    """The flags that a command had from a setting of its section which has another name now."""
    pairs = ((old.split("."), new.split(".")) for old, new in RENAMED.items())
    return {_flag(old[-1]): _flag(new[-1]) for old, new in pairs if old[0] == new[0] == command and "*" not in old}


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")
