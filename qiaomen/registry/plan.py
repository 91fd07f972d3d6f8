"""Finds the declared source and file rule of each input file, by file name."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qiaomen.registry.readers import READABLE, suffix
from qiaomen.registry.sources import FileRule, Source
from qiaomen.vocab import InputRejected


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file and the rule that reads it; ``name`` is unique within the plan."""

    path: Path
    name: str
    source: str
    rule: int


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not loaded, and why."""

    path: Path
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What a load will read, what a source declares as nothing to land, and what no source knows."""

    files: tuple[PlannedFile, ...]
    ignored: tuple[SkippedFile, ...]
    unknown: tuple[Path, ...]

    def by_source(self) -> dict[str, list[PlannedFile]]:
        """Return the planned files of each source, sources in order of their first file."""
        grouped: dict[str, list[PlannedFile]] = {}
        for file in self.files:
            grouped.setdefault(file.source, []).append(file)
        return grouped


def plan_files(
    sources: Mapping[str, Source], paths: Iterable[Path], *, source: str | None = None
) -> FilePlan:
    """Return the plan for files and folders (not searched below their first level).

    Only ``source`` is considered where given. ``InputRejected`` for a path that does not exist, a file named outright
    that no source knows, a file that two sources claim equally, or a folder with nothing to load.
    """
    chosen = _chosen(sources, source)
    files: list[tuple[Path, str, int]] = []
    ignored: list[SkippedFile] = []
    unknown: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputRejected("路径不存在", where=str(path), remedy="检查路径是否写对")
        for file, outright in _entries(path):
            if file.name.startswith((".", "~$")):
                ignored.append(SkippedFile(file, "", "隐藏文件或表格软件的临时文件"))
                continue
            found = _match(chosen, file)
            if found is None:
                if outright:
                    raise _unknown(file, sources, source)
                unknown.append(file)
                continue
            code, rule = found
            reason = chosen[code].files[rule].ignored
            if reason is not None:
                ignored.append(SkippedFile(file, code, reason))
            else:
                files.append((file, code, rule))
    if not files and not ignored:
        raise InputRejected(
            "没有可装载的文件",
            where="、".join(str(path) for path in paths) or "收件夹",
            remedy="放入文件，或检查文件名是否符合 docs/sources.md",
        )
    return FilePlan(_named(files), tuple(ignored), tuple(unknown))


def _chosen(sources: Mapping[str, Source], source: str | None) -> Mapping[str, Source]:
    if source is None:
        return sources
    if source not in sources:
        raise InputRejected(f"没有名为“{source}”的来源", remedy=f"可用：{'、'.join(sorted(sources))}")
    return {source: sources[source]}


def _entries(path: Path) -> list[tuple[Path, bool]]:
    if path.is_dir():
        return [(entry, False) for entry in sorted(path.iterdir()) if entry.is_file()]
    return [(path, True)]


def _unknown(file: Path, sources: Mapping[str, Source], source: str | None) -> InputRejected:
    if source is not None:
        patterns = [pattern for rule in sources[source].files for pattern in rule.patterns]
        return InputRejected(
            f"来源“{source}”没有声明这种文件",
            where=file.name,
            remedy=f"文件名应符合 {'、'.join(patterns)}，或在覆盖目录中为该来源补上",
        )
    return InputRejected(
        "没有来源声明这种文件", where=file.name, remedy="改文件名，或用 qiaomen load 来源 文件 指定来源"
    )


def _match(sources: Mapping[str, Source], file: Path) -> tuple[str, int] | None:
    """Return the source and rule whose pattern fits with the most literal characters."""
    best: list[tuple[int, str, int]] = []
    for code, source in sources.items():
        for index, rule in enumerate(source.files):
            weights = [_weight(pattern, file.name, rule) for pattern in rule.patterns]
            if (weight := max(weights, default=0)) > 0:
                best.append((weight, code, index))
    if not best:
        return None
    top = max(weight for weight, _, _ in best)
    winners = [(code, index) for weight, code, index in best if weight == top]
    if len({code for code, _ in winners}) > 1:
        names = "、".join(sorted({code for code, _ in winners}))
        raise InputRejected(
            f"多个来源都认得这个文件：{names}", where=file.name, remedy="用 qiaomen load 来源 文件 指定来源"
        )
    return winners[0]


def _weight(pattern: str, name: str, rule: FileRule) -> int:
    """Return how specific the pattern is where it fits; one without a suffix fits every readable form."""
    lowered, wanted = name.lower(), pattern.lower()
    literal = sum(character not in "*?[]" for character in wanted)
    if fnmatch.fnmatchcase(lowered, wanted) and ("." in wanted or rule.ignored is not None):
        return literal + 1
    if "." in wanted or suffix(Path(name)) not in READABLE:
        return 0
    stem = lowered.removesuffix(".gz")
    stem = stem[: -len(suffix(Path(name)))]
    return literal if fnmatch.fnmatchcase(stem, wanted) else 0


def _named(files: Sequence[tuple[Path, str, int]]) -> tuple[PlannedFile, ...]:
    """Give each file a name that is unique in the plan: its own, with its folder where two share it."""
    taken: dict[str, int] = {}
    for path, _, _ in files:
        taken[path.name] = taken.get(path.name, 0) + 1
    seen: set[Path] = set()
    used: set[str] = set()
    named: list[PlannedFile] = []
    for path, code, rule in files:
        resolved = path.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        name = path.name if taken[path.name] == 1 else f"{path.parent.name}/{path.name}"
        name = str(path) if name in used else name
        used.add(name)
        named.append(PlannedFile(path, name, code, rule))
    return tuple(named)
