"""The bits of a frame's header."""


class Bits:
    """Reads a header bit by bit."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        """An unsigned number of so many bits.

        Raises:
            ValueError: the header is over.
        """
        self.left -= count
        if self.left < 0:
            raise ValueError("the header is over")
        return self.value >> self.left & (1 << count) - 1

    def variable(self) -> int:
        """An Exp-Golomb number (uvlc)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
