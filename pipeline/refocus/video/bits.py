"""Reading single bits of a byte string."""


class Bits:
    """A byte string as a stream of bits. Behind its end come zeros."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.length = 8 * len(data)
        self.value = int.from_bytes(data, "big")
        self.at = at

    def read(self, count: int) -> int:
        """The next bits as a number."""
        self.at += count
        shift = self.length - self.at
        value = self.value >> shift if shift >= 0 else self.value << -shift
        return value & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next unsigned Exp-Golomb code, ue(v)."""
        zeros = 0
        while self.at < self.length and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
