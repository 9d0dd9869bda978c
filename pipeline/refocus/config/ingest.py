"""Settings of `refocus ingest` (stage 1)."""

from pydantic import Field

from refocus.config.base import Section


class IngestSettings(Section):
    """How clips are dealt to shards. A clip keeps the shard it was first given, whatever is set later."""

    clips_per_shard: int = Field(
        64, ge=1, description="clips per shard, at most; a shard is one decode job and one reward job"
    )
