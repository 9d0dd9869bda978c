"""Hears FFmpeg's error messages: it conceals most damage and reports it only in its log."""

import re

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
    """Counts FFmpeg's messages of level ERROR that mean damage, in this thread while entered; they are not printed."""

    def __init__(self) -> None:
        self.errors = 0
        self.of_container = 0  # of them, those that no decoder or parser logged

    def __enter__(self) -> None:
        self._level, self._repeated = logging.get_level(), logging.get_skip_repeated()
        logging.set_level(logging.ERROR)
        logging.set_skip_repeated(False)
        self._capture = logging.Capture()
        self._messages = self._capture.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._capture.__exit__(None, None, None)
        logging.set_skip_repeated(self._repeated)
        logging.set_level(self._level)
        for _, speaker, message in self._messages:
            if not _HARMLESS.search(message):
                self.errors += 1
                self.of_container += speaker not in codec.codecs_available
