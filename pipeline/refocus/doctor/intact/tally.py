"""What came out of checking a part of a results folder."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Damage:
    """A file, by its path below the results folder, that is not right; what is wrong, and what to do about it."""

    file: str
    what: str
    mend: str


@dataclass
class Tally:
    """Of some files of one kind.

    files, bytes: what was looked at. damage: what is not what was written. outdated: what is whole, but was made of
    something else than is there now. partly: files that were compared in part, and why. bare: files without a digest,
    and why. unknown: files that no stage writes.
    """

    files: int = 0
    bytes: int = 0
    damage: list[Damage] = field(default_factory=list)
    outdated: list[Damage] = field(default_factory=list)
    partly: dict[str, str] = field(default_factory=dict)
    bare: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Takes another's into this one."""
        self.files += other.files
        self.bytes += other.bytes
        self.damage += other.damage
        self.outdated += other.outdated
        self.partly |= other.partly
        self.bare |= other.bare
        self.unknown += other.unknown
