"""Counts FFmpeg's error messages: it conceals most damage and reports it only in its log."""

from types import TracebackType

from av import logging

# A decoder that begins at an open GOP misses frames that the stream tells it to drop: nothing needs them.
_HARMLESS = ("mmco: unref short failure", "number of reference frames")


class FfmpegLog:
    """While entered, counts FFmpeg's messages of level ERROR; they are printed nowhere."""

    def __enter__(self) -> "FfmpegLog":
        self._level = logging.get_level()
        if self._level is None:
            logging.set_level(logging.PANIC)  # errors are counted at any level but None
        self._seen = logging.get_last_error()[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._level is None:
            logging.set_level(None)

    def new_errors(self) -> int:
        """Errors since the last call, none if the last of them is a harmless one."""
        before = self._seen
        self._seen, message = logging.get_last_error()
        if message is not None and message[2].startswith(_HARMLESS):
            return 0
        return self._seen - before
