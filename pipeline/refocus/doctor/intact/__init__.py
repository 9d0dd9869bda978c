"""Whether a results folder holds what was written: every file against the digests that are there already."""
