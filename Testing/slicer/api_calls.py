"""What the module asks of Slicer, VTK, Qt and CTK, found in its source, and the table of it in the documentation.

``python Testing/slicer/api_calls.py`` brings the table up to date; where a new name is declared, and since when Slicer
has it, is then for a person to look up and to write in place of the question marks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOTS = {"slicer", "vtk", "qt", "ctk", "SampleData", "PyTorchUtils", "DICOMLib"}


def calls_by_name(folder: Path) -> dict[str, set[str]]:
    """Return each name that the module uses, and the files that use it.

    Names are dotted (``slicer.util.arrayFromVolume``), methods of VTK and MRML objects begin with a capital letter
    (``GetName``), what is asked of a Qt object or a widget of the .ui begins with a dot (``.enabled``), and signals
    to which something is connected end in brackets (``clicked(bool)``).
    """
    trees = {path: _tree(path) for path in sorted(folder.rglob("*.py"))}
    engine = (folder.parent / "SuperResolutionLib").rglob("*.py")
    own = {name for tree in [*trees.values(), *map(_tree, engine)] for name in _defined(tree)}
    found: dict[str, set[str]] = {}
    for path, tree in trees.items():
        for name in set(_names(tree)) - own:
            found.setdefault(name, set()).add(path.name)
    return found


def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _defined(tree: ast.AST) -> Iterator[str]:
    return (node.name for node in ast.walk(tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef)))


def _names(tree: ast.AST) -> Iterator[str]:
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    foreign = set(_foreign(tree))
    qt_objects = set(_qt_objects(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.split(".")[0] in ROOTS:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            path = _path(node)
            if path[0] in ROOTS and id(node) not in inner:
                yield ".".join(path)
            elif _is_widget(path[:-1]) or ast.unparse(node.value) in qt_objects:
                yield f".{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, root = node.func.attr, _path(node.func)[0]
            if name[0].isupper() and root not in ROOTS | foreign:
                yield name
            if name == "connect" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def _foreign(tree: ast.AST) -> Iterator[str]:
    """Yield the names under which a file imports something."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


def _qt_objects(tree: ast.AST) -> Iterator[str]:
    """Yield variables, as they are written, that hold a Qt object or a widget of the .ui."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Attribute, ast.Call)):
            path = _path(node.value)
            if path[0] in ("qt", "ctk") or _is_widget(path):
                yield from map(ast.unparse, node.targets)


def _is_widget(path: list[str]) -> bool:
    return len(path) > 1 and path[-2] in ("ui", "_ui")


def _path(node: ast.AST) -> list[str]:
    """Return ``["slicer", "app", "layoutManager"]`` of an attribute; "" stands for what is not named.

    An object that a class was just called for counts as the class.
    """
    if isinstance(node, ast.Attribute):
        return [*_path(node.value), node.attr]
    if isinstance(node, ast.Call) and _path(node.func)[-1][:1].isupper():
        return _path(node.func)
    return [node.id if isinstance(node, ast.Name) else ""]


class ApiTable:
    """The table of ``Documentation/slicer_api.md``: one row a name, in three parts.

    Attributes:
        rows: name to (files that use it, Slicer that has it first, where it is declared).
    """

    PARTS = ("Slicer's Python", "The scene and VTK", "Qt and CTK")
    HEADING = "| name | used in | since | declared in |\n| --- | --- | --- | --- |"
    UNKNOWN = "?"

    def __init__(self, text: str):
        cells = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `"))
        self.rows = {name.strip("`"): (set(files.split(", ")), since, place) for name, files, since, place in cells}
        self._introduction = text.split("\n## ")[0]

    def renewed(self, used: dict[str, set[str]]) -> str:
        """Return the page with a row for each used name and no other; what has to be looked up is ``?``."""
        self.rows = {name: (files, *self.rows.get(name, (0, "?", "?"))[1:]) for name, files in used.items()}
        parts = {part: [] for part in self.PARTS}
        for name, (files, since, place) in sorted(self.rows.items()):
            parts[self._part(name)].append(f"| `{name}` | {', '.join(sorted(files))} | {since} | {place} |")
        tables = ["\n".join([f"## {part}\n\n{self.HEADING}", *rows]) for part, rows in parts.items()]
        return "\n\n".join([self._introduction.strip(), *tables]) + "\n"

    def _part(self, name: str) -> str:
        if name.startswith((".", "qt.", "ctk.")) or name.endswith(")"):
            return self.PARTS[2]
        if name[0].isupper() and "." not in name or name.startswith(("vtk.", "slicer.vtk", "slicer.mrmlScene")):
            return self.PARTS[1]
        return self.PARTS[0]


def renew(root: Path) -> None:
    page = root / "Documentation" / "slicer_api.md"
    text = ApiTable(page.read_text(encoding="utf-8")).renewed(calls_by_name(root / "SuperResolution"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew(Path(__file__).resolve().parents[2])
