"""A generated reply is the stock model's own greedy one, token by token, whatever else is asked beside it."""

import numpy as np
import pytest
import torch
from refocus.lmm import Prompt, load_lmm

from tests.support.reference import Reference
from tests.support.tiny_lmm import BUILDERS

ASKED = [
    ("What colour is shown?", ("red", "green")),
    ("how many red before the square disappears?", ("one", "two", "x")),
]
TIMES = [0.0, 2.5, 9.9, 10.04]
ROWS = [((0, 1, 2), 0), ((0, 1, 2), 1), ((0, 3), 0)]
MOST = 3


@pytest.mark.parametrize("kind", BUILDERS)
def test_it_is_the_stock_models_greedy_reply(kind, tmp_path):
    folder = BUILDERS[kind](tmp_path)
    lmm, stock = load_lmm(folder), Reference(folder)
    images = np.random.default_rng(0).integers(0, 256, (4, lmm.frame_size, lmm.frame_size, 3), np.uint8)
    prompts = [Prompt(text, options) for text, options in ASKED]
    replies = lmm.generate(lmm.encode(images), ROWS, prompts, TIMES, most=MOST)
    for (frames, number), reply in zip(ROWS, replies, strict=True):
        first = stock.model(
            **stock.inputs(images[list(frames)], [TIMES[frame] for frame in frames], *ASKED[number]), logits_to_keep=1
        ).logits[0, -1]
        assert reply.startswith(lmm.tokenizer.decode([int(first.argmax())], skip_special_tokens=True))
    alone = [lmm.generate(lmm.encode(images), [row], prompts, TIMES, most=MOST)[0] for row in ROWS]
    assert replies == alone


def test_each_token_follows_from_those_before_and_the_turn_ends_it(tmp_path, monkeypatch):
    """The k-th token is the first one's when the reply so far stands behind the question; `<|im_end|>` is the last."""
    lmm = load_lmm(BUILDERS["internvl"](tmp_path))
    features = lmm.encode(np.zeros((2, lmm.frame_size, lmm.frame_size, 3), np.uint8))
    prompt, row = Prompt(*ASKED[0]), ((0, 1), 0)
    written, suffix = [], lmm._suffix(prompt)
    for _ in range(4):
        state = lmm._ends(features, {((0, 1), 0): [*suffix, *written]}, None, None)[(0, 1), 0]
        with torch.no_grad():
            written.append(int(lmm.model.get_output_embeddings()(state).argmax()))
    ends = type(lmm)._last_tokens
    monkeypatch.setattr(type(lmm), "_last_tokens", property(lambda self: set()))
    assert lmm.generate(features, [row], [prompt], most=4) == [lmm.tokenizer.decode(written, skip_special_tokens=True)]
    monkeypatch.setattr(type(lmm), "_last_tokens", property(lambda self: {written[0]}))
    before = lmm.work.passes
    assert lmm.generate(features, [row], [prompt], most=4) == [
        lmm.tokenizer.decode(written[:1], skip_special_tokens=True)
    ]
    assert lmm.work.passes - before < 4
    monkeypatch.setattr(type(lmm), "_last_tokens", ends)
    assert lmm.tokenizer.convert_tokens_to_ids("<|im_end|>") in lmm._last_tokens
