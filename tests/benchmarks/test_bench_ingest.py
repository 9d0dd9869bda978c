"""The benchmark of ingest and doctor: its made-up files are read without a reject, at any size."""

import json

from refocus.config.overlay import load
from refocus.qa.ingest import SourceFiles, read_source

from benchmarks import bench_ingest, paper_sources
from tests.support.forked_python import forked_python


def test_the_made_up_files_have_the_papers_size():
    trained = load([bench_ingest.BASE, bench_ingest.PAPER]).use.datasets
    assert sum(paper_sources.SIZES[name][0] for name in trained) == 962_000
    assert 169_000 < sum(videos for _, videos in paper_sources.SIZES.values()) < 171_000


def test_every_set_is_read_to_the_last_question_and_every_video_is_there(tmp_path):
    sizes = paper_sources.write_sources(tmp_path, 0)
    root = load([bench_ingest.BASE, bench_ingest.PAPER])
    assert set(sizes) == {*root.use.datasets, *root.use.benchmarks}
    for name, (questions, videos) in sizes.items():
        source = root.source(name)
        paths = tuple(tmp_path / path for path in source.annotations)
        found = read_source(
            SourceFiles(name, source.format, paths, tmp_path / source.videos, options=source.adapter_options)
        )
        assert (len(found.questions), found.rejects, found.missing) == (questions, [], []), name
        assert len({question.video_path for question in found.questions}) == videos


def test_a_tiny_run_measures_every_command(tmp_path):
    rows, videos = bench_ingest.measure(tmp_path / "home", 0, str(forked_python()))
    assert len(rows) == len(paper_sources.SIZES) + 4 and {len(row) for row in rows} == {len(bench_ingest.HEAD)}
    assert videos > 9 * paper_sources.LEAST  # of 11 sets; some share videos or link fewer
    doctor = json.loads((tmp_path / "home/doctor.json").read_text())
    assert doctor["sources"][0]["probed"] == paper_sources.LEAST
