"""Training videos that benchmarks use too, by their YouTube ids.

Of videos whose id no path tells (NExT-QA, MLVU, tables of one's own) only equal paths are counted: they may lie below
different folders, so that nothing is left out for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from refocus.qa.origin import origin
from refocus.qa.records import Question

REASON = "leaked"
SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("reason", pa.string()),
        ("dataset", pa.string()),
        ("clip_id", pa.string()),
        ("video_path", pa.string()),
        ("youtube_id", pa.string()),
        ("benchmark", pa.string()),
    ]
)


@dataclass
class _Clip:
    """A training clip of a benchmark's video."""

    video_path: str
    youtube_id: str
    questions: int = 0


@dataclass
class Leaks:
    """Benchmarks first, with `forbid`; then training sets, with `find`."""

    _asked: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # YouTube id → benchmark → n
    _videos: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # source → path → YouTube id
    _benchmarks: set[str] = field(default_factory=set)
    _clips: dict[tuple[str, str], _Clip] = field(default_factory=dict)  # (data set, clip id) → clip

    def forbid(self, format: str, questions: Iterable[Question]) -> None:
        """Notes a benchmark's videos."""
        for question in questions:
            self._benchmarks.add(question.dataset)
            youtube = self._note(format, question)
            if youtube:
                self._asked[youtube][question.dataset] += 1

    def find(self, format: str, questions: Iterable[Question]) -> Iterator[dict[str, Any]]:
        """Rows of `SCHEMA` for training questions about a benchmark's video, one per benchmark that has it."""
        for question in questions:
            youtube = self._note(format, question)
            if youtube not in self._asked:
                continue
            clip = self._clips.setdefault((question.dataset, question.clip_id), _Clip(question.video_path, youtube))
            clip.questions += 1
            for benchmark in sorted(self._asked[youtube]):
                yield {
                    "qa_id": question.qa_id,
                    "reason": REASON,
                    "dataset": question.dataset,
                    "clip_id": question.clip_id,
                    "video_path": question.video_path,
                    "youtube_id": youtube,
                    "benchmark": benchmark,
                }

    def _note(self, format: str, question: Question) -> str:
        videos = self._videos[question.dataset]
        if question.video_path not in videos:
            videos[question.video_path] = origin(format, question).youtube
        return videos[question.video_path]

    def summary(self) -> dict[str, Any]:
        """Plain values: videos per source and those with an id, counts per pair, the clips concerned, equal paths."""
        sources = {
            name: {"videos": len(videos), "with_youtube_id": sum(map(bool, videos.values()))}
            for name, videos in self._videos.items()
        }
        shared: dict[tuple[str, str], set[str]] = defaultdict(set)
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        clips = []
        for (dataset, clip_id), clip in sorted(self._clips.items()):
            benchmarks = sorted(self._asked[clip.youtube_id])
            clips.append({"dataset": dataset, "clip_id": clip_id, **vars(clip), "benchmarks": benchmarks})
            for benchmark in benchmarks:
                counts[dataset, benchmark].update(clips=1, questions=clip.questions)
                shared[dataset, benchmark].add(clip.youtube_id)
        pairs = [
            {
                "dataset": dataset,
                "benchmark": benchmark,
                "videos": len(shared[dataset, benchmark]),
                **count,
                "benchmark_questions": sum(self._asked[youtube][benchmark] for youtube in shared[dataset, benchmark]),
            }
            for (dataset, benchmark), count in sorted(counts.items())
        ]
        return {"sources": sources, "pairs": pairs, "clips": clips, "same_paths": list(self._same_paths())}

    def _same_paths(self) -> Iterator[dict[str, Any]]:
        """How many videos without an id have the path that a benchmark's video without one has, per pair."""
        bare = {name: {path for path, id in videos.items() if not id} for name, videos in self._videos.items()}
        for dataset in sorted(bare.keys() - self._benchmarks):
            for benchmark in sorted(self._benchmarks):
                if count := len(bare[dataset] & bare[benchmark]):
                    yield {"dataset": dataset, "benchmark": benchmark, "videos": count}
