"""Variance filtering: keeps the questions whose margins depend on which frames are seen (paper A.1)."""
