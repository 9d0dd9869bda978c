"""Benchmark questions answered from picked frames, and the scores."""
