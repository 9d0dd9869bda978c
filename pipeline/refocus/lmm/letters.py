"""Which tokens spell an option's letter after `Answer:`, found from the tokenizer and not assumed."""

from typing import Any

from refocus.core.errors import RefocusError
from refocus.lmm.prompts import LETTERS

CUE = "Answer:"


def letter_tokens(tokenizer: Any) -> list[list[int]]:
    """The token ids of every letter: without and with a leading space, where each is one token of its own.

    Args:
        tokenizer: a Hugging Face tokenizer.
    Returns:
        One list of ids per letter from A on, all of the same length (1 or 2); letters end at the first one the
        tokenizer cannot spell in the ways it spells A.
    Raises:
        RefocusError: the tokenizer spells fewer than two letters as single tokens.
    """
    kinds = [space for space in ("", " ") if _single(tokenizer, space + "A") is not None]
    table: list[list[int]] = []
    for letter in LETTERS:
        ids = [token for space in kinds if (token := _single(tokenizer, space + letter)) is not None]
        if not ids or len(ids) < len(kinds):
            break
        table.append(list(dict.fromkeys(ids)))
    flat = [token for ids in table for token in ids]
    if len(table) < 2 or len(set(flat)) != len(flat) or len({len(ids) for ids in table}) != 1:
        raise RefocusError("the tokenizer has no single, distinct tokens for the letters A, B, … after 'Answer:'")
    return table


def _single(tokenizer: Any, text: str) -> int | None:
    """The one token that `text` adds after the cue, or None where it is unknown or several.

    Where the end of the cue would merge with it (Qwen2's tokenizer splits `:A` from `Answer`, not `A` from `:`), it is
    the token of `text` by itself: the prompt ends with the cue, so that is what the model can say next.
    """
    before, after = (tokenizer(string, add_special_tokens=False).input_ids for string in (CUE, CUE + text))
    kept = after[: len(before)] == before
    added = after[len(before) :] if kept else tokenizer(text, add_special_tokens=False).input_ids
    if len(added) != 1 or tokenizer.decode(added).strip() != text.strip():
        return None
    return added[0]
