"""Questions for tests that care about where they come from."""

from refocus.qa.records import Question, clip_id, qa_id


def asked(
    dataset: str,
    path: str,
    question: str = "what is red",
    options: tuple[str, ...] = ("a cup", "a hat"),
    start_s: float | None = None,
    end_s: float | None = None,
    source_id: str = "1",
    flags: tuple[str, ...] = (),
) -> Question:
    """One question; its ids follow from the rest as in `ingest`."""
    clip = clip_id(dataset, path, start_s, end_s)
    own = qa_id(clip, source_id, question, options, 0)
    return Question(
        own, dataset, "train", clip, path, start_s, end_s, question, options, 0, options[0], "", source_id, flags
    )
