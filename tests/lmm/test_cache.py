"""Rows of the KV cache fork, end and shrink without touching each other."""

import torch

from pipeline.lmm.cache import Branches


def new(rows, tokens, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((rows, 2, tokens, 3), generator=generator), torch.randn(
        (rows, 2, tokens, 3), generator=generator
    )


def grown(cache, rows, tokens, seed):
    for layer in range(len(cache.layers)):
        cache.update(*new(rows, tokens, seed + layer), layer)
    return [layer.keys.clone() for layer in cache.layers]


def test_rows_fork_in_place_and_keep_their_pasts():
    cache = Branches(2, rows=4, room=9)
    first = grown(cache, 2, 3, 0)
    cache.keep([1, 0, 1])
    second = grown(cache, 3, 2, 10)
    for before, after, seed in zip(first, second, (10, 11), strict=True):
        torch.testing.assert_close(after, torch.cat([before[[1, 0, 1]], new(3, 2, seed)[0]], dim=2))
    cache.keep([2])
    assert cache.length == 5 and cache.layers[0].values.shape[0] == 1


def test_a_fork_leaves_the_original_as_it_was():
    cache = Branches(1, rows=1, room=3)
    [before] = grown(cache, 1, 3, 0)
    other = cache.fork([0, 0], room=8)
    grown(other, 2, 4, 5)
    assert (cache.length, other.length) == (3, 7)
    torch.testing.assert_close(cache.layers[0].keys, before)
    torch.testing.assert_close(other.layers[0].keys[1, :, :3], before[0])


def test_dropped_tokens_are_written_over():
    cache = Branches(1, rows=1, room=6)
    [before] = grown(cache, 1, 4, 0)
    grown(cache, 1, 2, 5)
    cache.drop(2)
    torch.testing.assert_close(cache.layers[0].keys, before)
    [after] = grown(cache, 1, 2, 7)
    torch.testing.assert_close(after, torch.cat([before, new(1, 2, 7)[0]], dim=2))
