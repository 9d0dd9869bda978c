"""What a shard says of each clip: the `.json` member beside its frames."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refocus.core.files import canonical
from refocus.core.json_text import loads

ByteRange = tuple[int, int]  # offset and size, bytes


@dataclass(frozen=True)
class StoredForm:
    """How a clip's frames are stored (`decode.storage`).

    jpeg: a member per frame; `offsets` and `sizes` are empty. video: one MP4; frame i is decoded from the `sizes[i]`
    bytes at `offsets[i]` of it, and `checksum` is the CRC-32 of it all; None in shards of earlier versions.
    """

    name: str  # jpeg or video
    offsets: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    checksum: int | None = None


@dataclass(frozen=True)
class ClipMetadata:
    """One clip of a shard.

    start_s, end_s: the clip's bounds in its video file; None is the file's own. fps, duration_s: what the file's header
    says. size: side of the stored frames in pixels. timestamps_s, source_frames: when each kept frame is shown, in
    seconds of the file, and its number there. error: why fewer frames than asked for are here, None where they all are.
    source_bytes, source_sha256: size of the file and the first 32 hex digits of its SHA-256. decode: fingerprint of the
    settings that made the frames. checksums: CRC-32 of the bytes that each frame is decoded from; none in shards of
    earlier versions.
    """

    clip_id: str
    video_path: str
    start_s: float | None
    end_s: float | None
    fps: float
    duration_s: float
    size: int
    timestamps_s: tuple[float, ...]
    source_frames: tuple[int, ...]
    error: str | None
    source_bytes: int
    source_sha256: str
    decode: str
    form: StoredForm
    checksums: tuple[int, ...] = ()

    def fits(self) -> bool:
        """Whether times, numbers and places are such, and there is one of each for every frame."""
        form, count = self.form, self.n_frames
        places = (form.offsets, form.sizes) if form.name == "video" else ()
        whole = (self.source_frames, self.checksums or self.source_frames, *places)
        return (
            form.name in ("jpeg", "video")
            and (form.checksum is None or type(form.checksum) is int)
            and all(isinstance(text, str) for text in (self.clip_id, self.video_path, self.source_sha256, self.decode))
            and all(isinstance(time_s, int | float) for time_s in (*self.timestamps_s, self.fps, self.duration_s))
            and all(len(one) == count and all(type(number) is int for number in one) for one in whole)
        )

    @property
    def n_frames(self) -> int:
        """Number of kept frames."""
        return len(self.timestamps_s)

    @property
    def status(self) -> str:
        """ok, or partial where `error` says why."""
        return "partial" if self.error else "ok"

    @property
    def member_names(self) -> list[str]:
        """The members of the tar that hold the frames, in their order."""
        if self.form.name == "video":
            return [f"{self.clip_id}.mp4"]
        return [f"{self.clip_id}.{index:04d}.jpg" for index in range(self.n_frames)]

    def frame_ranges(self, members: Sequence[ByteRange]) -> list[ByteRange]:
        """Where every frame is decoded from, given where the contents of the clip's members lie in the tar."""
        if self.form.name == "video":
            start = members[0][0]
            return [(start + offset, size) for offset, size in zip(self.form.offsets, self.form.sizes, strict=True)]
        return list(members)

    def to_json(self) -> bytes:
        """The content of the `.json` member; its keys are a contract."""
        values: dict[str, Any] = {
            "clip_id": self.clip_id,
            "video_path": self.video_path,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "fps": self.fps,
            "duration": self.duration_s,
            "size": self.size,
            "n_frames": self.n_frames,
            "timestamps": self.timestamps_s,
            "source_frames": self.source_frames,
            "status": self.status,
            "error": self.error,
            "source_bytes": self.source_bytes,
            "source": self.source_sha256,
            "decode": self.decode,
            "frames": self.form.name,
        }
        if self.form.name == "video":
            values |= {"offsets": self.form.offsets, "sizes": self.form.sizes}
            if self.form.checksum is not None:
                values["video_checksum"] = self.form.checksum
        if self.checksums:
            values["checksums"] = self.checksums
            values["checksum"] = zlib.crc32(canonical(values).encode())  # of all the rest of this
        return canonical(values).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "ClipMetadata":
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is something else, such as what an earlier version wrote.
        """
        try:
            values = loads(content)
            made = cls(
                clip_id=values["clip_id"],
                video_path=values["video_path"],
                start_s=values["start_s"],
                end_s=values["end_s"],
                fps=values["fps"],
                duration_s=values["duration"],
                size=values["size"],
                timestamps_s=tuple(values["timestamps"]),
                source_frames=tuple(values["source_frames"]),
                error=values["error"],
                source_bytes=values["source_bytes"],
                source_sha256=values["source"],
                decode=values["decode"],
                form=StoredForm(
                    values["frames"],
                    tuple(values.get("offsets", ())),
                    tuple(values.get("sizes", ())),
                    values.get("video_checksum"),
                ),
                checksums=tuple(values.get("checksums", ())),
            )
            found = made.to_json()
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no metadata of a clip: {error!r:.200}") from None
        if found != content or not made.fits():
            raise ValueError("no metadata of a clip: keys that are not known, or numbers that contradict each other")
        return made
