"""The tar that a run is writing, under a hidden name until it is complete.

A run that is killed leaves its partial shard behind. The next one goes on writing it if it holds the first clips of the
shard, and otherwise copies from it what it can use.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.files import replaced
from refocus.frames.clip_metadata import ByteRange
from refocus.frames.decode_clip import StoredClip
from refocus.frames.shard_reader import ShardReader
from refocus.frames.tar_writer import TarWriter


class PartialShard:
    """Takes clips one by one. Nothing of them stays in memory."""

    def __init__(self, tar: Path, begun: Path | None = None, position: int = 0) -> None:
        """Starts a partial shard of `tar`, or continues the file `begun` from `position`."""
        self.tar = tar
        self.path = begun or _free(tar)
        with self._writing():
            self.handle = self.path.open("r+b" if begun else "xb")
            self.handle.truncate(position)
            self.handle.seek(position)
        self.writer = TarWriter(self.handle, position)

    def __enter__(self) -> "PartialShard":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.handle.close()

    def add(self, clip: StoredClip) -> list[ByteRange]:
        """Writes a clip and waits until the disk has it; returns where the members with its frames lie.

        Otherwise a power cut could leave headers without their content, and the next run would take them for a clip.
        """
        with self._writing():
            places = [self.writer.add(name, content) for name, content in clip.members()]
            self.handle.flush()
            os.fdatasync(self.handle.fileno())
        return [(place.offset, place.size) for place in places[1:]]

    def complete(self) -> None:
        """Ends the archive and waits until the disk has it."""
        with self._writing():
            self.writer.close()
            self.handle.flush()
            os.fsync(self.handle.fileno())

    def publish(self) -> None:
        """Gives it the name of the shard."""
        with self._writing():
            replaced(self.path, self.tar)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise RefocusError(
                f"{self.tar}: another run is writing this shard too and has taken {self.path.name} away, perhaps from "
                "another checkout with the same `results`: let it end, or give one of them its own `results`, and run "
                "again"
            ) from None
        except OSError as error:
            raise RefocusError(
                f"{self.tar}: cannot be written ({error.strerror or error}); the clips written so far are kept in "
                f"{self.path.name} beside it: make room and run again"
            ) from None


def partial_shards(tar: Path) -> list[ShardReader]:
    """What killed runs left behind, the fullest first; files that hold nothing more are removed."""
    left: list[ShardReader] = []
    known: set[tuple[str, str]] = set()
    for reader in sorted(map(ShardReader, _paths(tar)), key=len, reverse=True):
        clips = {(clip, metadata.decode) for clip in reader.order() if (metadata := reader.metadata(clip))}
        if clips <= known:
            reader.path.unlink(missing_ok=True)
        else:
            left.append(reader)
            known |= clips
    return left


def clear(tar: Path) -> None:
    """Removes every partial shard of a tar."""
    for path in _paths(tar):
        path.unlink(missing_ok=True)


def _paths(tar: Path) -> list[Path]:
    prefix, suffix = f".{tar.name}.", ".part"
    return sorted(path for path in tar.parent.iterdir() if path.name.startswith(prefix) and path.name.endswith(suffix))


def _free(tar: Path) -> Path:
    taken = {path.name for path in _paths(tar)}
    number = 0
    while (name := f".{tar.name}.{number}.part") in taken:
        number += 1
    return tar.with_name(name)
