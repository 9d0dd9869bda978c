"""Errors that end a command with one line: what is wrong, where, and what to do about it."""


class RefocusError(Exception):
    """The work failed. Commands print the message and end with status 1."""

    exit_code = 1


class UsageError(RefocusError):
    """The arguments or the configuration are wrong (status 2)."""

    exit_code = 2


class ResourceMissing(RefocusError):
    """A resource such as a GPU is missing here; the same job may succeed elsewhere (status 75)."""

    exit_code = 75
