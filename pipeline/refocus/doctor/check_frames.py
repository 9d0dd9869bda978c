"""Whether stored frames are those of their videos: a sample of clips, decoded anew by a plain loop."""

import math
from pathlib import Path

from refocus.config.root import Root
from refocus.core.errors import RefocusError
from refocus.core.fixed_sample import fixed_sample
from refocus.core.results_folder import INDEX, shard_name
from refocus.doctor.findings import SHOWN, Finding
from refocus.frames.verify import FILE, verify_frames


def examine_frames(root: Root, name: str, sample: int) -> list[Finding]:
    """Compares some clips of one source, in as many of its shards as possible; nothing where no frames are stored.

    Args:
        sample: about how many clips.
    """
    entry = root.source(name)
    shards = (INDEX.at(root.results, dataset=name, shard=shard_name(number)) for number in range(entry.shards))
    there = {index.name: index for index in shards if index.is_file()}
    if not there or sample < 1:
        return []
    chosen = fixed_sample(there, sample)
    videos = Path(root.path(entry.videos))
    findings: list[Finding] = []
    clips = frames = 0
    for index in (there[shard] for shard in sorted(chosen)):
        fix = f"`refocus verify-frames {index} --videos {videos}` names all; remove the shard's files and run again"
        try:
            verdict = verify_frames(index, videos, math.ceil(sample / len(chosen)))
        except RefocusError as error:
            findings.append(Finding("error", "frames", str(error), "remove the shard's files and run again"))
            continue
        clips, frames = clips + verdict.clips, frames + verdict.frames
        wrong = [str(found) for found in verdict.mismatches if found.kind != FILE]
        if wrong:
            text = f"{index.name}: stored frames are not those of the video: {'; '.join(wrong[:SHOWN])}"
            more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            findings.append(Finding("error", "frames", text + more, fix))
        if changed := [str(found) for found in verdict.mismatches if found.kind == FILE]:
            text = f"{index.name}: {len(changed)} clips cannot be compared, their video is another now: {changed[0]}"
            findings.append(Finding("warning", "frames_of_old", text, "decode again if that was not meant"))
    text = f"{frames:,} stored frames of {clips:,} clips were compared with a plain decode"
    return [*findings, Finding("note", "frames_compared", text)]
