"""What a configuration costs before it runs: frames, tokens, FLOPs, GPU-hours, disk and jobs of every stage."""
