"""Stage 2, decode: videos → shards of frames, one job per shard.

Reads:  one shard's list of clips, and their videos.
Writes: <results>/frames/{dataset}/{shard}.index.parquet: every clip with its frames' times and places, or the reason it has none.
Keeps:  <results>/store/frames/{fingerprint}/{dataset}/{shard}.tar, a WebDataset shard; a rerun decodes only what it lacks.
Paper:  section 4.1 and Table 5 (min(4 fps, 512) frames at 384 x 384).
"""

FRAMES = frames_of(SOURCES)


rule decode_shard:
    input:
        RESULTS.SHARD_CLIPS,
    output:
        RESULTS.INDEX,
    log:
        "<results>/logs/decode/{dataset}.{shard}.log",
    benchmark:
        "<results>/benchmarks/decode/{dataset}.{shard}.jsonl"
    conda:
        "../envs/data.yaml"
    threads: cores(SETTINGS.decode)
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(240),
    params:
        settings=lambda wildcards: SETTINGS.decode_of(wildcards.dataset).compared(),
        runtime=runtime(SETTINGS.decode),
        tolerated=tolerated,
        videos=lambda wildcards: SETTINGS.path(SETTINGS.source(wildcards.dataset).videos),
        tar=lambda wildcards: f"{STORE}/{frames_kept(SETTINGS, wildcards.dataset)}/{wildcards.shard}.tar",
        shared=lambda wildcards: os.path.dirname(f"{STORE}/{frames_kept(SETTINGS, wildcards.dataset)}"),
    shell:
        "python -m refocus decode {input:q} --videos {params.videos:q} --out {params.tar:q} --index {output:q}"
        " --shared {params.shared:q} --settings {params.settings:q} {params.tolerated} --runtime {params.runtime:q}"
        " 2>&1 | tee {log:q}"
