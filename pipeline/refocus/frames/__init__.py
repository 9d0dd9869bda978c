"""WebDataset shards of frames, their index, and random access to any frame."""
