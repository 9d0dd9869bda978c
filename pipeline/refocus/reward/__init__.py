"""The 16 subsets, the margin (Eq. 5), and the reward pass over a shard."""
