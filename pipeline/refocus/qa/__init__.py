"""Questions about clips: records, data-set and benchmark adapters, shards."""
