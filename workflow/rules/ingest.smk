"""Stage 1, ingest: annotation files as they are published → questions, rejects, clips.

Reads:  the annotation files of one data set or benchmark, and the names of its videos.
Writes: <results>/qa/{name}.parquet, {name}.rejects.parquet, {name}.clips.parquet, {name}.evidence.parquet (when the answer can be
        seen, where the annotations say so) and one list of clips and of questions per shard.
Keeps:  <results>/store/shards/{name}.parquet: a clip stays in the shard it was first given.
Paper:  section 4.1, appendix A.
"""

INGESTED = [
    file.fill(dataset=name)
    for name in SOURCES
    for file in (RESULTS.QUESTIONS, RESULTS.REJECTS, RESULTS.CLIPS, RESULTS.EVIDENCE)
]

# One rule per data set, because each has its own number of shards among its outputs.
for name in SOURCES:

    rule:
        name:
            f"ingest_{name}"
        input:
            annotations_of(name),
        output:
            questions=RESULTS.QUESTIONS.fill(dataset=name),
            rejects=RESULTS.REJECTS.fill(dataset=name),
            clips=RESULTS.CLIPS.fill(dataset=name),
            evidence=RESULTS.EVIDENCE.fill(dataset=name),
            shards=[
                file.fill(dataset=name, shard=shard)
                for shard in all_shards(name)
                for file in (RESULTS.SHARD_CLIPS, RESULTS.SHARD_QUESTIONS)
            ],
        log:
            f"<results>/logs/ingest/{name}.log",
        benchmark:
            f"<results>/benchmarks/ingest/{name}.jsonl"
        conda:
            "../envs/data.yaml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=section("ingest"),
            code=sources("refocus.cli.ingest", adapter_module(SETTINGS.source(name).format)),
            format=SETTINGS.source(name).format,
            options=canonical(SETTINGS.source(name).adapter_options),
            allowed=flag("--allowed-roots", *map(SETTINGS.path, SETTINGS.source(name).allowed_roots)),
            limit=f"--limit {SETTINGS.source(name).limit}" if SETTINGS.source(name).limit else "",
            shards=SETTINGS.source(name).shards,
            planned=planned(name),
            videos=videos_of(name),
            name=name,
            store=STORE,
            out=subpath(output.questions, parent=True),
        shell:
            "python -m refocus ingest {params.format:q} --annotations {input:q} --videos {params.videos:q} --name {params.name:q}"
            " --adapter-options {params.options:q} --shards {params.shards} --planned {params.planned} {params.limit} {params.allowed} --settings {params.settings:q}"
            " --store {params.store:q} --out {params.out:q} 2>&1 | tee {log:q}"
