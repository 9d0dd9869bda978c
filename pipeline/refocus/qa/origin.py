"""Which video a clip shows, whatever data set it comes with: corpus, name inside the corpus, YouTube id.

The same video lies at other paths in other data sets: `NExTVideo/1164/3238737531.mp4` of NExT-QA is
`0_30_s_nextqa/NextQA/NExTVideo/1164/3238737531.mp4` in LLaVA-Video-178K, and is there a second time below
`academic_source/NextQA`. One table says how each format's paths are read.
"""

import posixpath
import re
from dataclasses import dataclass
from typing import NamedTuple

from refocus.qa.records import Question

Film = tuple[str, str]  # (corpus, name in it), ("youtube", id) or (data set, path)
YOUTUBE_FLAG = "youtube:"  # how an adapter passes on an id that the path does not hold
_ID = r"(?P<name>(?P<youtube>[\w-]{11}))"


class Form(NamedTuple):
    """How paths of one corpus look, extension aside: group `name`, and `youtube` where the path holds the id."""

    corpus: str
    pattern: str


# Format → forms of its paths, the first that fits counts. Without one, the path itself is the name.
# MLVU has none on purpose: its files are numbered, and `movie101_66` has eleven letters by chance.
FORMS: dict[str, tuple[Form, ...]] = {
    "activitynetqa": (Form("activitynet", rf"(?:^|/)v_{_ID}$"),),
    "cinepile": (Form("youtube", rf"(?:^|/|watch\?v=){_ID}$"),),
    "llava_video": (
        Form("nextqa", r"(?:^|/)(?:NextQA|NExTVideo)/(?:[^/]+/)*(?P<name>\d+)$"),
        Form("perceptiontest", r"(?:^|/)perception_test/(?:[^/]+/)*(?P<name>video_\d+)$"),
        Form("activitynet", rf"(?:^|/)v_{_ID}$"),
        Form("youtube", rf"(?:^|/)ytb_{_ID}$"),
        Form("youcook2", r"(?:^|/)youcook2/(?P<name>[^/]+/(?P<youtube>[\w-]{11})/split_\d+)$"),
        Form("llava_video", r"^(?:\d+_\d+_[sm]_\w+/)?(?P<name>.+)$"),
    ),
    "longvideobench": (Form("youtube", rf"(?:^|/){_ID}$"),),
    "lvbench": (Form("youtube", rf"(?:^|/){_ID}$"),),
    "nextqa": (Form("nextqa", r"(?:^|/)(?P<name>\d+)$"),),
    "perceptiontest": (Form("perceptiontest", r"(?:^|/)(?P<name>video_\d+)$"),),
    "videomme": (Form("youtube", rf"(?:^|/){_ID}$"),),
    "vista": (Form("vista", r"^(?P<name>(?:.*/)?(?P<youtube>[\w-]{11})_\d[^/]*)$"),),
}
_COMPILED = {
    name: tuple((form.corpus, re.compile(form.pattern, re.ASCII)) for form in forms) for name, forms in FORMS.items()
}


@dataclass(frozen=True)
class Origin:
    """One video. Clips with equal `corpus` and `name` show the same file; `youtube` is "" where it is not known."""

    corpus: str
    name: str
    youtube: str = ""


def origin(format: str, question: Question) -> Origin:
    """The video a question is about.

    Args:
        format: the adapter the question was read with, such as `llava_video`.
    """
    path = posixpath.splitext(question.video_path)[0]
    return _by_path(format, path, _given(question)) or Origin(format, path, _given(question))


def film(format: str, question: Question) -> Film:
    """What two questions share when their clips may show the same pictures, whatever data sets they come with.

    The YouTube video where its id is known, also of parts that were cut from it; else the file in its corpus. A file
    whose corpus its path does not tell is a film by itself: the data set's name and the whole path.

    Args:
        format: the adapter the question was read with; "" where that is not known.
    """
    known = _by_path(format, posixpath.splitext(question.video_path)[0], _given(question))
    youtube = known.youtube if known else _given(question)
    if youtube:
        return "youtube", youtube
    return (known.corpus, known.name) if known else (question.dataset, question.video_path)


def _given(question: Question) -> str:
    """The YouTube id that the adapter passed on."""
    return next((flag.removeprefix(YOUTUBE_FLAG) for flag in question.flags if flag.startswith(YOUTUBE_FLAG)), "")


def _by_path(format: str, path: str, given: str) -> Origin | None:
    """What a path without its extension tells; nothing where it has none of its format's forms."""
    for corpus, pattern in _COMPILED.get(format, ()):
        if hit := pattern.search(path):
            return Origin(corpus, hit["name"], given or hit.groupdict().get("youtube") or "")
    return None
