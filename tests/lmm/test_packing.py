"""Packing keeps every row, shares what is shared and stays within its budget."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.lmm.packing import PlainBatch, pack

rows = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40)), max_size=40)


@given(rows, st.integers(0, 60), st.integers(1, 500))
def test_every_row_is_packed_once_next_to_its_prefix_and_within_the_budget(rows, prefix_length, budget):
    prefixes, lengths = [prefix for prefix, _ in rows], [length for _, length in rows]
    seen, computed = [], []
    for batch in pack(prefixes, prefix_length, lengths, range(len(rows)), budget):
        if isinstance(batch, PlainBatch):
            parts = [batch.rows]
            assert all(prefixes.count(prefixes[row]) == 1 for row in batch.rows)
            computed += [prefixes[row] for row in batch.rows]
        else:
            parts = [[row for row, _ in chunk] for chunk in batch.chunks]
            assert all(prefixes[row] == prefixes[batch.leads[home]] for chunk in batch.chunks for row, home in chunk)
            assert len(batch.leads) == 1 or len(batch.leads) * prefix_length <= budget
            computed += [prefixes[row] for row in batch.leads]
        for part in parts:
            assert len(part) == 1 or len(part) * (prefix_length + max(lengths[row] for row in part)) <= budget
            seen += part
    assert sorted(seen) == list(range(len(rows)))
    assert sorted(computed) == sorted(set(prefixes))
