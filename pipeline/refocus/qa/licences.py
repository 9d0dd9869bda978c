"""Terms of the published data sets, as their publishers stated them when this table was written.

What a publisher does not say, or what nobody here has read, is `unknown`: nothing is guessed from similar data sets.
These are pointers for who shares a policy, and no legal advice; the pages named as sources are what counts.
"""

from collections.abc import Iterable
from typing import NamedTuple

UNKNOWN = "unknown"
WORLD_CATEGORIES = ("sequence/", "moment/", "static/")  # the beginnings of all categories of the synthetic world


class Terms(NamedTuple):
    """Of one data set. hub: its id on the Hugging Face hub, "" where the training questions have none there."""

    title: str
    annotations: str
    videos: str
    source: str
    hub: str = ""


# Adapter → terms. An adapter that is not here has unknown terms.
TERMS: dict[str, Terms] = {
    "llava_video": Terms(
        "LLaVA-Video-178K",
        "Apache-2.0, and for academic research and education only",
        UNKNOWN,
        "https://huggingface.co/datasets/lmms-lab/LLaVA-Video-178K",
        "lmms-lab/LLaVA-Video-178K",
    ),
    "nextqa": Terms("NExT-QA", "MIT", UNKNOWN, "https://github.com/doc-doc/NExT-QA"),
    "activitynetqa": Terms(
        "ActivityNet-QA",
        "contradictory: Apache-2.0 in LICENSE, MIT and non-commercial in the README",
        UNKNOWN,
        "https://github.com/MILVLG/activitynet-qa",
    ),
    "perceptiontest": Terms(
        "Perception Test", "CC-BY-4.0", "CC-BY-4.0", "https://github.com/google-deepmind/perception_test"
    ),
    "cinepile": Terms(
        "CinePile",
        "CC-BY-NC-SA-4.0",
        "the studios' copyright",
        "https://huggingface.co/datasets/tomg-group-umd/cinepile",
        "tomg-group-umd/cinepile",
    ),
    "vista": Terms(
        "VISTA-400K",
        "MIT",
        UNKNOWN,
        "https://huggingface.co/datasets/TIGER-Lab/VISTA-400K",
        "TIGER-Lab/VISTA-400K",
    ),
    "videomme": Terms(
        "Video-MME",
        "academic research only, no redistribution, no commercial use",
        UNKNOWN,
        "https://huggingface.co/datasets/lmms-lab/Video-MME",
        "lmms-lab/Video-MME",
    ),
    "longvideobench": Terms(
        "LongVideoBench",
        "CC-BY-NC-SA-4.0",
        "their owners' copyright",
        "https://huggingface.co/datasets/longvideobench/LongVideoBench",
        "longvideobench/LongVideoBench",
    ),
    "mlvu": Terms(
        "MLVU",
        "CC-BY-NC-SA-4.0, academic use only",
        UNKNOWN,
        "https://huggingface.co/datasets/MLVU/MVLU",
        "MLVU/MVLU",
    ),
}


def terms_of(format: str) -> Terms:
    """Of the data set that an adapter reads; unknown ones for any other."""
    return TERMS.get(format, Terms(format or UNKNOWN, UNKNOWN, UNKNOWN, ""))


def is_synthetic(categories: Iterable[str]) -> bool:
    """Whether questions of these categories are the synthetic world's, which come in the layouts of real data sets."""
    distinct = set(categories)
    return bool(distinct) and all(category.startswith(WORLD_CATEGORIES) for category in distinct)
