"""What some selectors pick of one video for one question: everything the page shows, without the page."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refocus.core.errors import RefocusError, UsageError
from refocus.core.extras import advice
from refocus.select.encoded_video import EncodedVideo
from refocus.select.frame_files import jpeg
from refocus.select.frame_selector import Ask, FrameSelector
from refocus.select.video_selection import VideoSelection
from refocus.select.video_source import FileSource
from refocus.serve.selectors import PageSelectors
from refocus.video.decode import DecodedFrames

if TYPE_CHECKING:
    from refocus.config.decode import DecodeSettings

log = logging.getLogger(__name__)

SIDE = 320  # pixels: the longer side of a thumbnail
AT_A_TIME = 4  # pictures of the video's own size in memory; one of 8K takes 100 MB
UNEXPECTED = "Something went wrong that refocus does not know: {}. The terminal that `refocus serve` runs in says more."


@dataclass(frozen=True)
class Compared:
    """What one selector picked, or why it did not.

    selection, thumbnails: the picks in temporal order, and a JPEG of each. n_candidates, length_s: how many frames
    there were to pick from, and the seconds that they span. seconds: what picking took. notes: what to know before
    trusting the picks. problem: why there are none, in plain words.
    """

    name: str
    selection: VideoSelection | None = None
    thumbnails: tuple[bytes, ...] = ()
    n_candidates: int = 0
    length_s: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    problem: str | None = None


class Comparison:
    """Asks selectors about videos. The video that was asked about last is decoded and read once."""

    def __init__(self, selectors: PageSelectors):
        self.selectors = selectors
        self._read: dict[str, EncodedVideo] = {}

    def ask(
        self, video: Path | None, question: str, options: Sequence[str], names: Sequence[str], n_frames: int
    ) -> Iterator[Compared]:
        """What each of the selectors picks, one after another; one that cannot says why, and the others go on.

        Raises:
            UsageError: there is no video, question or selector, or n_frames is not positive.
        """
        if video is None or not video.is_file():
            raise UsageError("There is no video yet: drop one into the field Video.")
        if not question.strip():
            raise UsageError("There is no question yet: type what you want to know about the video.")
        if not names:
            raise UsageError("No selector is chosen: choose at least one.")
        if n_frames < 1:
            raise UsageError(f"The number of frames must be 1 or more, not {n_frames}.")
        return self._ask(video, Ask(question.strip(), tuple(options)), names, n_frames)

    def _ask(self, video: Path, ask: Ask, names: Sequence[str], n_frames: int) -> Iterator[Compared]:
        source = FileSource(video, video.name)
        self._read = {name: read for name, read in self._read.items() if read.video.key == source.key}
        decoded: dict[tuple[object, ...], DecodedFrames] = {}
        for name in names:
            try:
                yield self._one(name, source, ask, n_frames, decoded)
            except RefocusError as error:
                yield Compared(name, problem=_without_folder(str(error), video))
            except ModuleNotFoundError as error:
                yield Compared(name, problem=advice(error.name or "") or UNEXPECTED.format(error))
            except Exception as error:  # a page that says nothing helps nobody
                log.exception("%s", name)
                yield Compared(name, problem=UNEXPECTED.format(_without_folder(f"{error}", video)))

    def _one(
        self,
        name: str,
        source: FileSource,
        ask: Ask,
        n_frames: int,
        decoded: dict[tuple[object, ...], DecodedFrames],
    ) -> Compared:
        selector = self.selectors.named(name)
        started = time.monotonic()
        if name not in self._read:
            sampling = _sampling(selector.decode)
            if sampling not in decoded:
                decoded[sampling] = source.candidates(selector.decode)
            self._read[name] = selector.read(source, decoded[sampling])
        encoded = self._read[name]
        [picked] = selector.select_many(encoded, [ask], n_frames)
        return Compared(
            name=name,
            selection=picked,
            thumbnails=_thumbnails(source, picked),
            n_candidates=encoded.n_candidates,
            length_s=_length_s(encoded.timestamps_s),
            seconds=time.monotonic() - started,
            notes=_notes(selector, encoded, n_frames),
        )


def _sampling(decode: "DecodeSettings") -> tuple[object, ...]:
    """What decides the candidates: selectors that agree share them."""
    return decode.fps, decode.max_frames, decode.size, decode.resize


def _length_s(times_s: Sequence[float]) -> float:
    """Until when the last candidate is shown, if as long as the others are."""
    steps = len(times_s) - 1
    return times_s[-1] + ((times_s[-1] - times_s[0]) / steps if steps else 1.0)


def _notes(selector: FrameSelector, encoded: EncodedVideo, n_frames: int) -> tuple[str, ...]:
    found = [f"{selector.warning[:1].upper()}{selector.warning[1:]}."] if selector.warning else []
    if encoded.problem:
        found.append(f"Only part of the video could be decoded: {encoded.problem}")
    if encoded.n_candidates < n_frames:
        found.append(f"The video has only {encoded.n_candidates} candidates, so all of them are picked.")
    return tuple(found)


def _thumbnails(source: FileSource, picked: VideoSelection) -> tuple[bytes, ...]:
    """A small JPEG of every pick, at the video's aspect."""
    made: list[bytes] = []
    for first in range(0, len(picked.timestamps_s), AT_A_TIME):
        some = slice(first, first + AT_A_TIME)
        made += [_small(picture) for picture in source.pictures(picked.source_frames[some], picked.timestamps_s[some])]
    return tuple(made)


def _small(picture: np.ndarray) -> bytes:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    return jpeg(np.asarray(image))


def _without_folder(text: str, video: Path) -> str:
    """A message that calls the video by the name that its user knows, not by where its copy lies."""
    return text.replace(str(video), video.name)
