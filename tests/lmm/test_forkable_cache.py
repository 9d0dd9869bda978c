"""Rows of the KV cache fork, end and shrink without touching each other."""

import torch
from refocus.lmm.forkable_cache import ForkableCache


def new(rows, tokens, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((rows, 2, tokens, 3), generator=generator), torch.randn(
        (rows, 2, tokens, 3), generator=generator
    )


def grown(cache, rows, tokens, seed):
    for layer in range(len(cache.layers)):
        cache.update(*new(rows, tokens, seed + layer), layer)
    return [state(cache, layer) for layer in range(len(cache.layers))]


def state(cache, layer=0):
    """A copy of a layer's keys and values, one after the other along the heads."""
    return torch.cat([cache.layers[layer].keys, cache.layers[layer].values], dim=1)


def both(rows, tokens, seed):
    """What `grown` adds to one layer, as `state` gives it."""
    return torch.cat(new(rows, tokens, seed), dim=1)


def test_rows_fork_in_place_and_keep_their_pasts():
    cache = ForkableCache(2, rows=4, room=9)
    first = grown(cache, 2, 3, 0)
    cache.keep([1, 0, 1])
    second = grown(cache, 3, 2, 10)
    for before, after, seed in zip(first, second, (10, 11), strict=True):
        torch.testing.assert_close(after, torch.cat([before[[1, 0, 1]], both(3, 2, seed)], dim=2))
    cache.keep([2])
    assert cache.length == 5 and cache.layers[0].values.shape[0] == 1


def test_a_fork_leaves_the_original_as_it_was():
    cache = ForkableCache(1, rows=3, room=3)
    [before] = grown(cache, 3, 3, 0)
    other = cache.fork([2, 1, 2], room=8)
    [after] = grown(other, 3, 4, 5)
    assert (cache.length, other.length) == (3, 7)
    torch.testing.assert_close(state(cache), before)
    torch.testing.assert_close(after[:, :, :3], before[[2, 1, 2]])


def test_dropped_tokens_are_written_over():
    cache = ForkableCache(1, rows=1, room=6)
    [before] = grown(cache, 1, 4, 0)
    grown(cache, 1, 2, 5)
    cache.drop(2)
    torch.testing.assert_close(state(cache), before)
    [after] = grown(cache, 1, 2, 7)
    torch.testing.assert_close(after, torch.cat([before, both(1, 2, 7)], dim=2))
