"""Hears FFmpeg's error messages: it conceals most damage and reports it only in its log."""

import contextlib
import re
from collections.abc import Iterator

from av import codec, logging

_HARMLESS = re.compile(
    # What a stream says beside its pictures: no pixel depends on it.
    r"\bSEI\b|\bVUI\b|\bAPP fields\b|closed captions?|user.?data|ICC profile|EXIF|"
    # A decoder that begins at an open GOP misses frames that the stream tells it to drop: nothing needs them.
    r"mmco: unref short failure|number of reference frames|"
    # An edit list that begins between key frames; the demuxer takes the key frame before, or what there is.
    r"edit list",
    re.IGNORECASE,
)


class FfmpegLog:
    """Counts FFmpeg's messages of level ERROR that mean damage; they are printed nowhere."""

    def __init__(self) -> None:
        self.errors = 0
        self.of_container = 0  # of them, those that no decoder or parser logged

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """What FFmpeg says in this thread while this is entered."""
        level, repeated = logging.get_level(), logging.get_skip_repeated()
        logging.set_level(logging.ERROR)
        logging.set_skip_repeated(False)
        messages: list[tuple[int, str, str]] = []
        try:
            with logging.Capture() as messages:
                yield
        finally:
            logging.set_skip_repeated(repeated)
            logging.set_level(level)
            for _, speaker, message in messages:
                if not _HARMLESS.search(message):
                    self.errors += 1
                    self.of_container += speaker not in codec.codecs_available
