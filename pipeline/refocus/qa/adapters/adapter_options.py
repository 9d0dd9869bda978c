"""Options of the annotation formats: one small section of typed settings per adapter."""

from pydantic import Field

from refocus.config.base import Section


class AdapterOptions(Section):
    """The options every format has; an adapter with more of them has its own `Options`, derived from this."""

    split: str | None = Field(None, min_length=1, description="replaces the split that the files imply")
