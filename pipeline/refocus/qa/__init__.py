"""Questions about clips: records, adapters of data sets and benchmarks, shards."""
