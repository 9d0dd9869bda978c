"""Stage 6c, likelihood: how likely the policy is to pick each frame, and what an LMM answers from the likely and the unlikely ones.

Reads:  the benchmark's questions and frames; the policies of the first setting in use whose selector is `refocus/<run>`; the videos, the LMM.
Writes: <results>/likelihood/{benchmark}/{run}.n{frames}.parquet, which Table 3 is made and Figs. 4 and 9 to 13 are drawn from;
        <results>/likelihood/{benchmark}/initial/{run}.n{frames}.parquet, the same before training, for Table 3: on Video-MME, where `initial/<run>` is in use;
        <results>/bins/{benchmark}/{lmm}/{run}/{bin}.parquet: answers from over-k % and under-k % of the frames.
Paper:  Eq. 10, Table 3, Figure 4.
"""

from refocus.config.likelihood_runs import benchmarks_of_table3, initial_runs, likely_benchmarks, likely_runs
from refocus.select.likelihood_bins import bins as likelihood_bins

LIKELIHOOD = SETTINGS.likelihood
LIKELY_RUNS = likely_runs(SETTINGS)  # seeds of one setting
LOOKED_AT = likely_benchmarks(SETTINGS)
MAIN_N = SETTINGS.main_n_frames


LIKELIHOODS = likelihoods_of(RESULTS.LIKELIHOOD, LIKELY_RUNS, LOOKED_AT)
DISTRIBUTIONS = [
    *likelihoods_of(RESULTS.LIKELIHOOD, LIKELY_RUNS, benchmarks_of_table3(SETTINGS)),
    *likelihoods_of(RESULTS.INITIAL_LIKELIHOOD, initial_runs(SETTINGS), benchmarks_of_table3(SETTINGS)),
]  # of Table 3
BINS = [one.name for one in likelihood_bins(LIKELIHOOD.percents)] if LIKELIHOOD.percents else []
BINNED = [
    RESULTS.BIN_ANSWERS.fill(benchmark=name, lmm=lmm, run=run, bin=one)
    for run in LIKELY_RUNS
    for name in LOOKED_AT
    for lmm in USE.lmms
    for one in BINS
]


rule measure_likelihood:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        policy=[file.fill(state="policy") for file in (RESULTS.POLICY_CONFIG, RESULTS.POLICY_WEIGHTS)],
    output:
        RESULTS.LIKELIHOOD,
    log:
        "<results>/logs/likelihood/{benchmark}.{run}.n{frames}.log",
    benchmark:
        "<results>/benchmarks/likelihood/{benchmark}.{run}.n{frames}.jsonl"
    conda:
        "../envs/train.yaml"
    threads: cores(LIKELIHOOD)
    resources:
        gpu=gpus(LIKELIHOOD),
        mem_mb=times_attempt(16_000),
        runtime=times_attempt(240),
    params:
        settings=LIKELIHOOD.sampling(),
        runtime=runtime(LIKELIHOOD),
        policy=lambda wildcards, input: os.path.dirname(input.policy[0]),
        kind="refocus",
    shell:
        "python -m refocus likelihood --qa {input.questions:q} --index {input.frames:q} --model {params.policy:q} --selector {params.kind}/{wildcards.run:q}"
        " --n-frames {wildcards.frames} --settings {params.settings:q} --runtime {params.runtime:q} --out {output:q} 2>&1 | tee {log:q}"


use rule measure_likelihood as measure_initial_likelihood with:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        policy=[file.fill(state="initial") for file in (RESULTS.POLICY_CONFIG, RESULTS.POLICY_WEIGHTS)],
    output:
        RESULTS.INITIAL_LIKELIHOOD,
    log:
        "<results>/logs/likelihood/{benchmark}.initial.{run}.n{frames}.log",
    benchmark:
        "<results>/benchmarks/likelihood/{benchmark}.initial.{run}.n{frames}.jsonl"
    params:
        kind="initial",


rule answer_bins:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        likelihood=RESULTS.LIKELIHOOD.fill(frames=MAIN_N),
        lmm=lambda wildcards: ancient(model_files(SETTINGS.lmms[wildcards.lmm].path)),
    output:
        [RESULTS.BIN_ANSWERS.fill(bin=one) for one in BINS or ["all"]],
    log:
        "<results>/logs/bins/{benchmark}.{lmm}.{run}.log",
    benchmark:
        "<results>/benchmarks/bins/{benchmark}.{lmm}.{run}.jsonl"
    conda:
        "../envs/reward.yaml"
    threads: cores(SETTINGS.answer)
    resources:
        gpu=gpus(SETTINGS.answer),
        mem_mb=times_attempt(24_000),
        runtime=times_attempt(480),
    params:
        settings=section("answer"),
        likelihood=section("likelihood"),
        lmm=lambda wildcards: SETTINGS.lmms[wildcards.lmm].canonical(),
        weights=lambda wildcards: weights(SETTINGS.lmms[wildcards.lmm].path),
        videos=benchmark_videos,
        n_frames=MAIN_N,
        last_frame=lambda wildcards: "--keep-last-frame" * SETTINGS.benchmarks[wildcards.benchmark].keeps_last_frame,
        runtime=runtime(SETTINGS.answer),
        out=subpath(output[0], parent=True),
    shell:
        "python -m refocus bins --qa {input.questions:q} --index {input.frames:q} --videos {params.videos:q} --likelihood {input.likelihood:q}"
        " --run {wildcards.run:q} --likelihood-settings {params.likelihood:q} --lmm-settings {params.lmm:q} --lmm-name {wildcards.lmm:q}"
        " --n-frames {params.n_frames} {params.last_frame} --settings {params.settings:q} --runtime {params.runtime:q} --out {params.out:q} 2>&1 | tee {log:q}"
