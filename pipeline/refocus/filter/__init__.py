"""The variance filter: keeps questions whose margins depend on the frames (A.1)."""
