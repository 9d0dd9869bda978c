"""How a policy was trained to be asked, in a file beside its weights: nobody has to remember it."""

import dataclasses
from pathlib import Path
from typing import Any

from refocus.config.decode import DecodeSettings
from refocus.config.parsing import parse
from refocus.core.checksums import add_sum
from refocus.core.errors import UsageError
from refocus.core.files import write_json
from refocus.core.model_folder import SMALL_FILES, find_folder, read_json

FILE = "selection.json"


@dataclasses.dataclass(frozen=True)
class TrainedFor:
    """The frames a policy saw, and how many of them it learned to pick.

    n_frames: T'. fps, max_frames, size, resize: how candidates were sampled, see `DecodeSettings`.
    """

    n_frames: int
    fps: float
    max_frames: int
    size: int
    resize: str

    @classmethod
    def of(cls, n_frames: int, decode: DecodeSettings) -> "TrainedFor":
        """Of a training run."""
        return cls(n_frames, decode.fps, decode.max_frames, decode.size, decode.resize)

    def decode(self, asked: DecodeSettings | None) -> DecodeSettings:
        """The settings that sample candidates as in training: those asked for, or where none are, its own.

        Raises:
            UsageError: those asked for sample other frames.
        """
        own = {name: getattr(self, name) for name in ("fps", "max_frames", "size", "resize")}
        if asked is None:
            return parse(DecodeSettings, own)
        differs = [
            f"{name} {getattr(asked, name)}, not {value}"
            for name, value in own.items()
            if getattr(asked, name) != value
        ]
        if differs:
            raise UsageError(f"the policy was trained on frames that were sampled otherwise: {'; '.join(differs)}")
        return asked


def write_trained_for(folder: Path, trained: TrainedFor) -> None:
    """Writes it into a policy folder."""
    write_json(folder / FILE, dataclasses.asdict(trained))
    add_sum(folder, FILE)


def read_trained_for(path: str | Path) -> TrainedFor | None:
    """Of a policy folder or hub id; None where it does not say, as in public weights.

    Raises:
        UsageError: the file is not as `write_trained_for` writes it.
    """
    file = find_folder(path, SMALL_FILES) / FILE
    if not file.is_file():
        return None
    values: dict[str, Any] = read_json(file)
    known = {field.name for field in dataclasses.fields(TrainedFor)}
    if values.keys() != known:
        raise UsageError(
            f"{file} must hold {', '.join(sorted(known))}, and holds {', '.join(sorted(values)) or 'nothing'}"
        )
    try:
        trained = TrainedFor(**values)
        trained.decode(None)
    except UsageError as error:
        raise UsageError(f"{file} is not what training writes: {error}") from None
    if type(trained.n_frames) is not int or trained.n_frames < 1:
        raise UsageError(
            f"{file} is not what training writes: n_frames: {values['n_frames']!r:.80} is no number of frames"
        )
    return trained
