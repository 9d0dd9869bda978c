"""Stage 0, world: the synthetic world, rendered in the formats of real data sets. Only where config.world is set.

Writes: <results>/world/{name}/ annotation files and videos, <results>/world/truth/{benchmark}.parquet (when the evidence is visible).
Design: docs/design.md; the world stands in for data that cannot be fetched on a bare machine.
"""

WORLD_FILES = sorted(
    {
        SETTINGS.path(path)
        for entry in [*SETTINGS.datasets.values(), *SETTINGS.benchmarks.values()]
        for path in [*entry.annotations, getattr(entry, "truth", None)]
        if SETTINGS.world and path and path.startswith(f"{RESULTS.WORLD}/")
    }
)


if SETTINGS.world:

    rule make_world:
        output:
            WORLD_FILES,
        log:
            "<results>/logs/world.log",
        benchmark:
            "<results>/benchmarks/world.jsonl"
        conda:
            "../envs/data.yaml"
        threads: cores(SETTINGS.world)
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=section("world"),
            runtime=runtime(SETTINGS.world),
            out=lambda wildcards: SETTINGS.path(RESULTS.WORLD),
        shell:
            "python -m refocus world --settings {params.settings:q} --runtime {params.runtime:q} --out {params.out:q} 2>&1 | tee {log:q}"
