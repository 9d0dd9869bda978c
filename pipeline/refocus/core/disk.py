"""What a disk refuses: full, read-only, over quota, not ours; said in one line instead of a trace."""

import errno
import re

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)
_NUMBER = re.compile(r"\(os error (\d+)\)|\[[Ee]rrno (\d+)\]")  # as Rust (safetensors, tokenizers) and Arrow word it


def refusal(error: BaseException) -> int | None:
    """The number of the refusal that an exception tells of, of any library; None for any other exception."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := _NUMBER.search(str(error))):
        number = int(told[1] or told[2])
    return number if number in _REFUSED else None


def advice(number: int) -> str:
    """What to do about a refusal."""
    if number in _FULL:
        return "make room and run again; what is finished is kept"
    return "mend that and run again"
