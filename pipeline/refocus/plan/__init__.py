"""What a configuration will cost: frames, tokens, FLOP, GPU-hours, disk, jobs."""
