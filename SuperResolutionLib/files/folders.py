"""The folders below a folder, those behind links too, each of them once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """A folder that was come to.

    Attributes:
        path: the way to it, which may lead through links.
        names: its files that are not hidden.
        left_out: why it is not looked into, in one sentence; "" where it is.
    """

    path: Path
    names: list[str] = field(default_factory=list)
    left_out: str = ""


def folders_below(root: Path, results: Path | None = None) -> Iterator[Folder]:
    """Yield ``root`` and the folders below it that are not hidden; ``results`` and what lies in it are not looked at.

    A folder that several ways lead to is looked into once: by the way without links, or else by the first one. A folder
    that cannot be read is yielded without names.
    """
    seen: dict[Path, Path] = {}
    waiting = [root]
    while waiting:
        unreadable: list[OSError] = []
        for way, folders, names in os.walk(waiting.pop(0), onerror=unreadable.append):
            path = Path(way)
            place = path.resolve()
            first = seen.setdefault(place, path)
            if results in (place, *place.parents) or first != path:
                folders.clear()
                if first != path:
                    known = first.relative_to(root).as_posix()
                    yield Folder(path, left_out=f"The same folder as {known}, by a link; it is looked into there.")
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in folders if (path / name).is_symlink()]
            waiting += [path / name for name in links]
            folders[:] = [name for name in folders if name not in links]
            yield Folder(path, [name for name in names if not name.startswith(".")])
        for error in unreadable:
            yield Folder(Path(error.filename))
