"""Frames are tokenised one by one, which is right only if the whole prompt has the same tokens."""

import re

import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.lmm.family import Prompted
from refocus.lmm.frame_text import FrameText


class Dashes(Prompted):
    """`<-xx--xx-` is the prompt of two frames of two tokens."""

    def opening(self):
        return "<"

    def frame(self, place, time_s, tokens_per_frame):
        return f"-{'x' * tokens_per_frame}-"


def text_of(tokens, per_frame=2):
    """Tokens are the matches of a pattern."""
    return FrameText(
        Dashes(),
        lambda text: [ord(part[0]) for part in re.findall(tokens, text)],
        per_frame,
        ord("x"),
        torch.device("cpu"),
    )


def test_a_frame_knows_where_its_features_stand():
    frame = text_of(".").frame(0, 0.0)
    assert (frame.slots.tolist(), frame.lead, frame.tail) == ([1, 2], 1, 1)
    assert text_of(".").lengths([0.0, 1.0, 2.0]) == (4, 4, 4)


def test_a_tokenizer_that_merges_neighbouring_frames_is_refused():
    """It may be seen only from the second frame on, also where a single one was read before."""
    text = text_of("--|.")
    assert text.lengths([0.0]) == (4,)
    with pytest.raises(RefocusError, match="merges frames with their neighbours"):
        text.lengths([0.0, 1.0])


def test_a_tokenizer_that_does_not_know_the_frame_token_is_refused():
    with pytest.raises(RefocusError, match="1 frame tokens for a frame of 2"):
        text_of("xx|.").frame(0, 0.0)
