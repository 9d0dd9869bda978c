"""Errors that end a command with one line: what is wrong, where, and what to do about it."""

LONGEST = 1500  # characters of a line: what it quotes may be a megabyte
_CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}  # line ends and the terminal's own commands


class RefocusError(Exception):
    """The work failed. Commands print the message and end with status 1.

    The message is one line, whatever it quotes. More arguments are lines below it, for lists.
    """

    exit_code = 1

    def __init__(self, *lines: object):
        super().__init__(*lines)

    def __str__(self) -> str:
        return "\n  ".join(map(_line, self.args))


def _line(text: object) -> str:
    line = str(text).translate(_CONTROL)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


class UsageError(RefocusError):
    """The arguments or the configuration are wrong (status 2)."""

    exit_code = 2


class ResourceMissing(RefocusError):
    """A resource such as a GPU is missing here; the same job may succeed elsewhere (status 75)."""

    exit_code = 75
