"""Examines one data set or benchmark: its annotation files, its rows, its videos, its shards."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from refocus.config.formats import annotation_files
from refocus.config.root import DatasetSettings, Root
from refocus.config.selectors import SelectorName
from refocus.core.errors import RefocusError, UsageError
from refocus.core.results_folder import EVIDENCE
from refocus.doctor.archives import compare
from refocus.doctor.data_root import Tree
from refocus.doctor.file_header import LOST, SUSPECT, Header
from refocus.doctor.findings import Finding, Level, Report, examples
from refocus.doctor.sample_headers import choose, read_headers
from refocus.qa.clips import Clip
from refocus.qa.ingest import Ingested, SourceFiles, read_source
from refocus.qa.remarks import remarks
from refocus.qa.shard_lists import assign, read_kept

ON_PURPOSE = frozenset({"dropped", "open_ended"})  # rejects that an option asked for, or that are no multiple choice
FRAME_BYTES = 28_500  # JPEG q90 4:2:0 of a noisy 384 x 384 picture
PROBLEMS = {"missing": "are missing", "short": "are not as long as in their archive"} | LOST


def examine(root: Root, name: str, probe: int | None, tree_of: Callable[[Path], Tree]) -> Report:
    """Everything there is to say about one source without decoding.

    Args:
        probe: how many videos' headers are read; None: all.
        tree_of: the walk over a folder; called at most once per source.
    """
    entry, limits = root.source(name), root.doctor
    role = "data set" if name in root.datasets else "benchmark"
    missing_allowed = limits.missing_allowed(name, entry.max_failure_rate)
    report = Report(name, role, entry.format, missing_allowed, limits.rejected_allowed(name))
    named = [Path(root.path(path)) for path in entry.annotations]
    annotations = [file for path in named for file in annotation_files(entry.format, path)]
    videos = Path(root.path(entry.videos))
    if root.is_rendered(name) and not all(path.exists() for path in annotations):
        report.findings.append(Finding("note", "world", "is not rendered yet: the run itself makes it"))
        return report
    report.findings += [*_truth(root, name), *_imports(root, name)]
    if problems := [*_annotations(annotations), *_folder(videos)]:
        report.findings += problems
        return report
    try:
        allowed = tuple(Path(root.path(path)) for path in entry.allowed_roots)
        source = SourceFiles(
            name, entry.format, tuple(annotations), videos, entry.limit, entry.adapter_options, allowed
        )
        found = read_source(source)
    except UsageError as error:
        report.findings.append(Finding("error", "format", str(error)))
        return report
    except RefocusError as error:
        report.findings.append(Finding("error", "annotations", str(error), "download the file again"))
        return report
    _rows(report, source, found)
    if not found.questions:
        on_purpose = any(reject.reason in ON_PURPOSE for reject in found.rejects)
        report.findings.append(
            Finding("note" if on_purpose else "error", "no_questions", "no row is a usable question")
        )
        return report
    _shards(report, root, entry, found)
    _videos(report, root, found, tree_of(videos), probe)
    return report


def _truth(root: Root, name: str) -> list[Finding]:
    truth = getattr(root.source(name), "truth", None)
    made = EVIDENCE.fill(dataset=name)  # by ingest
    if not truth or truth == made or Path(root.path(truth)).is_file():
        return []
    return [
        Finding(
            "error", "truth", f"{root.path(truth)}: no such file", f"set benchmarks.{name}.truth to null or to {made}"
        )
    ]


def _imports(root: Root, name: str) -> list[Finding]:
    """What other programs picked on a benchmark and is not there."""
    asked = [SelectorName.parse(text).imported for text in root.use.selectors if name in root.use.benchmarks]
    paths = {
        Path(root.path(root.imports[one].file(name, n))): one for one in asked if one for n in root.answer.n_frames
    }
    return [
        Finding("error", "imports", f"{path}: no such file", f"correct imports.{one}.files.{name}")
        for path, one in paths.items()
        if not path.is_file()
    ]


def _annotations(paths: list[Path]) -> list[Finding]:
    """One finding per way in which annotation files are no annotation files."""
    if not paths:
        return [Finding("error", "annotations", "no annotation files are given", "name them under `annotations`")]
    ill: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if problem := _illness(path):
            ill[problem].append(str(path))
    return [
        Finding("error", "annotations", f"{len(names)} of {len(paths)} annotation files {what}: {examples(names)}", fix)
        for (what, fix), names in ill.items()
    ]


def _illness(path: Path) -> tuple[str, str] | None:
    """What is wrong with a file before an adapter reads it, and the fix."""
    if not path.is_file():
        return "are missing", "download them, or fix the path"
    try:
        with open(path, "rb") as file:
            start = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError as error:
        return f"cannot be read ({error.strerror})", "fix their permissions"
    if not start:
        return "are empty", "download them again"
    if start.startswith(b"version https://git-lfs"):
        return "are Git LFS pointers", "run `git lfs pull`"
    if start.lower().startswith((b"<!doctype", b"<html")):
        return "are web pages", "download them again; gated data sets need a login"
    return None


def _folder(videos: Path) -> list[Finding]:
    if videos.is_dir():
        return []
    return [Finding("error", "folder", f"the videos folder {videos} does not exist", "fix the path under `videos`")]


def _rows(report: Report, source: SourceFiles, found: Ingested) -> None:
    """Questions, and rejects by reason."""
    report.questions = len(found.questions)
    report.videos = len({question.video_path for question in found.questions})
    report.clips = len({question.clip_id for question in found.questions})
    reasons: dict[str, list[str]] = defaultdict(list)
    for reject in found.rejects:
        reasons[reject.reason].append(reject.detail)
    for reason, details in sorted(reasons.items(), key=lambda item: -len(item[1])):
        purpose = reason in ON_PURPOSE
        report.rejected += 0 if purpose else len(details)
        rows = "1 row is" if len(details) == 1 else f"{len(details):,} rows are"
        text = f"{rows} rejected as {reason}, such as {details[0]}"
        report.findings.append(Finding("note" if purpose else "warning", f"rejected:{reason}", text))
    report.findings += [Finding("warning", kind, text) for kind, text in remarks(source.format, found.questions)]


def _shards(report: Report, root: Root, entry: DatasetSettings, found: Ingested) -> None:
    """Whether the clips, with the places earlier ones have, fit the shards there are."""
    kept = read_kept(Path(root.path("<results>/store/shards")) / f"{report.name}.parquet")
    clips = {q.clip_id: Clip(q.clip_id, q.dataset, q.video_path, q.start_s, q.end_s) for q in found.questions}
    rows = assign(clips.values(), kept, root.ingest.clips_per_shard, None)
    needed = max(row.shard for row in rows) + 1
    text = f"{len(clips):,} clips need {needed} shards of {root.ingest.clips_per_shard}, there are {entry.shards}"
    where = f"{'datasets' if report.role == 'data set' else 'benchmarks'}.{report.name}.shards"
    if needed > entry.shards:
        report.findings.append(Finding("error", "shards", text, f"set {where} to {needed}"))
    elif entry.shards > 2 * needed:
        report.findings.append(Finding("note", "shards", text, f"{where}: {needed} would do"))


def _videos(report: Report, root: Root, found: Ingested, tree: Tree, probe: int | None) -> None:
    """Which videos cannot be used, and how many questions that costs."""
    asked = Counter(question.video_path for question in found.questions)
    bad: dict[str, str] = dict.fromkeys(found.missing, "missing")
    there = _sizes(tree, [path for path in asked if path not in bad])
    bad |= {path: "empty" for path, size in there.items() if not size}
    unpacking = compare(tree, found.missing, there)
    bad |= {path: "short" for path in unpacking.short if path in there and path not in bad}
    small, sample = choose({path: size for path, size in there.items() if path not in bad}, probe)
    headers = read_headers(tree.root, [*small, *sample])
    report.probed = len(headers)
    bad |= {path: header.problem for path, header in headers.items() if header.problem in LOST}
    report.lost = sum(asked[path] for path in bad)
    for kind, what in PROBLEMS.items():
        paths = sorted(path for path, reason in bad.items() if reason == kind)
        if paths:
            text = f"{len(paths):,} videos {what}: {examples(paths)}"
            cost = sum(asked[path] for path in paths)
            report.findings.append(Finding("error", kind, text, _fix(kind, unpacking.packed), len(paths), cost))
    for kind, what in SUSPECT.items():
        paths = sorted(path for path, header in headers.items() if header.problem == kind)
        if paths:
            cost = sum(asked[path] for path in paths)
            text = f"{len(paths):,} videos {what}: {examples(paths)} ({cost:,} questions)"
            report.findings.append(Finding("warning", kind, text, "download them again", len(paths)))
    if inside := len(asked) - len(there) - len(found.missing):
        report.findings.append(Finding("note", "inside", f"{inside:,} videos lie inside archives: not looked into"))
    unread = sum(asked[path] for path in there if path not in headers and path not in bad)
    seen = sum(asked[path] for path in sample)
    report.expected = round(unread * sum(asked[path] for path in sample if path in bad) / seen) if seen else 0
    report.frames_bytes = _frames_bytes(root, report.clips, headers)
    for archive, held in sorted(unpacking.packed.items()):
        text = f"{archive} holds {len(set(held)):,} of the missing videos"
        report.findings.append(Finding("note", "packed", text, "unpack it", 1))
    _leftovers(report, tree, unpacking.broken, unpacking.closed if found.missing else [])


def _sizes(tree: Tree, paths: list[str]) -> dict[str, int]:
    """Bytes of the videos that are files of their own; a folder with two names was walked under one of them."""
    sizes = {}
    for path in paths:
        try:
            sizes[path] = tree.sizes[path] if path in tree.sizes else (tree.root / path).stat().st_size
        except OSError:
            continue
    return sizes


def _fix(kind: str, packed: Mapping[str, list[str]]) -> str:
    if kind == "missing":
        return "unpack the archives named below" if packed else "download or unpack them, or fix the path"
    return "unpack the archive again" if kind == "short" else "download them again"


def _leftovers(report: Report, tree: Tree, broken: list[str], closed: list[str]) -> None:
    """Files in the data root that do not belong there, or cannot be read."""
    rows: tuple[tuple[Level, str, list[str], str, str], ...] = (
        ("warning", "archive_broken", broken, "archives that cannot be read to their end", "download them again"),
        ("note", "archive_closed", closed, "compressed or split archives, not looked into", "unpack what is missing"),
        ("warning", "partial", tree.partial, "downloads that did not end", "let the download go on"),
        ("warning", "dangling", tree.dangling, "links to nothing", "fix or remove them"),
        ("warning", "closed", tree.closed, "folders that may not be read", "fix their permissions"),
        (
            "note",
            "litter",
            tree.macos_files,
            "files left by macOS (__MACOSX, ._name, .DS_Store)",
            "they may be removed",
        ),
    )
    for level, kind, paths, what, fix in rows:
        if paths:
            text = f"{len(paths):,} {what}: {examples(sorted(paths))}"
            report.findings.append(Finding(level, kind, text, fix, len(paths)))


def _frames_bytes(root: Root, clips: int, headers: Mapping[str, Header]) -> int | None:
    """What the stored frames will take, if the clips are as long as the videos whose duration the headers say."""
    durations = [header.duration_s for header in headers.values() if header.duration_s]
    if not durations:
        return None
    decode = root.decode
    frames = [min(decode.max_frames, 1 + int(decode.fps * seconds)) for seconds in durations]
    return round(clips * sum(frames) / len(frames) * FRAME_BYTES * (decode.size / 384) ** 2)
