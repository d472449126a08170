"""The houses stand in their order, and so do the wings in each: who may import whom, and never in a circle."""

import ast
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

MOST_FILES = 16
"""In the folder of a wing or of a wing in it; ``__init__.py`` does not count."""


@dataclass(frozen=True)
class House:
    """A package, and the order of the wings in it.

    Attributes:
        folder: of the package, below the repository.
        leans_on: the wings that each wing may import. A wing that is still to come may be named here already.
        base: files outside the wings that all of them may import.
        roof: files outside the wings that may import all and that none imports.
        foreign: the first names of modules that this house never imports.
    """

    folder: str
    leans_on: dict
    base: tuple = ()
    roof: tuple = ("__init__.py",)
    foreign: frozenset = frozenset()

    @property
    def package(self) -> str:
        return self.folder.rsplit("/", 1)[-1]


def in_order(*wings):
    """Return the wings of which each leans on those before it."""
    return {wing: frozenset(wings[:place]) for place, wing in enumerate(wings)}


SLICER = frozenset({"slicer", "qt", "ctk", "vtk", "vtkmodules", "SuperResolution", "SuperResolutionWidgets"})

HOUSES = (
    House(
        "SuperResolutionLib",
        in_order(
            "geometry",
            "files",
            "acquisition",
            "models",
            "upscaling",
            "fusion",
            "evaluation",
            "cohort",
            "monai_transforms",
            "command_line",
        ),
        base=("errors.py", "version.py"),
        roof=("__init__.py", "__main__.py"),
        foreign=SLICER | {"Training", "Testing"},
    ),
    House(
        "SuperResolution/SuperResolutionWidgets",
        {
            "Panel": {"Forecast", "Views", "Scene", "Worker", "Installation"},
            "Forecast": {"Scene"},
            "Views": {"Scene"},
            "Scene": set(),
            "Worker": set(),
            "Installation": set(),
        },
        foreign=frozenset({"SuperResolution", "Training", "Testing"}),
    ),
    House(
        "Training",
        {
            "reports": {"runs", "data", "degradation", "losses"},
            "runs": {"data", "degradation", "losses"},
            "data": {"degradation"},
            "degradation": set(),
            "losses": set(),
        },
        roof=("__init__.py", "__main__.py"),
        foreign=SLICER | {"Testing"},
    ),
)


@pytest.fixture(scope="module", params=HOUSES, ids=lambda house: house.package)
def house(request):
    return request.param


@pytest.fixture(scope="module")
def imports(repository, house):
    """What ``imports_of`` finds in the house."""
    return imports_of(repository, house)


def imported_names(source: str, package: list) -> list:
    """Return the modules that a source imports, wherever in it, absolute: one dotted name for each that it names.

    Args:
        package: the parts of the package that the source lies in, which relative imports count from.
    """
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names += [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
    return names


def files_of(root: Path, house: House) -> list:
    """Return the house's Python files, below its folder."""
    folder = root / house.folder
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    assert files
    return files


def imports_of(root: Path, house: House) -> dict:
    """Return for each file of the house the files of the house that it imports."""
    folder, result = root / house.folder, {}
    for file in files_of(root, house):
        package = [house.package, *Path(file).parent.parts]
        names = imported_names((folder / file).read_text(encoding="utf-8"), package)
        inside = [name.split(".")[1:] for name in names if name.split(".")[0] == house.package]
        result[file] = {file_of(folder, parts) for parts in inside}
    return result


def file_of(folder: Path, parts: list) -> str:
    """Return the file that ``package.parts`` names; its last part may be what is defined in the file."""
    for path in (Path(*parts[:length]) for length in (len(parts), len(parts) - 1) if length >= 0):
        for candidate in (path / "__init__.py", path.with_suffix(".py") if path.parts else path):
            if (folder / candidate).is_file():
                return candidate.as_posix()
    raise AssertionError(f"{folder.name} has no file for {'.'.join(parts)}")


def against_the_order(house: House, imports: dict) -> list:
    """Return the imports that the order forbids, as words."""
    faults = []
    for file, targets in imports.items():
        wing, _, inside = file.partition("/")
        for target in targets - set(house.base):
            their_wing, _, their_inside = target.partition("/")
            if file in house.roof or (inside and their_inside and their_wing in {wing, *house.leans_on.get(wing, ())}):
                continue
            faults.append(f"{file} imports {target}")
    return sorted(faults)


def circle_in(imports: dict) -> list:
    """Return the files of one circle of imports, the first one at both ends; none where there is no circle."""
    done = set()

    def search(file, way):
        if file in way:
            return [*way[way.index(file) :], file]
        if file in done:
            return []
        done.add(file)
        return next(filter(None, (search(target, [*way, file]) for target in sorted(imports[file]))), [])

    return next(filter(None, (search(file, []) for file in imports)), [])


def test_every_file_lies_in_a_wing_or_is_named(repository, house):
    outside = {file for file in files_of(repository, house) if file.split("/")[0] not in house.leans_on}
    assert outside == {*house.base, *house.roof}


def test_the_module_is_one_file_beside_its_wings(repository):
    (module,) = (repository / "SuperResolution").glob("*.py")
    names = imported_names(module.read_text(encoding="utf-8"), [])
    assert module.name == "SuperResolution.py"
    assert not {name.split(".")[0] for name in names} & {"Training", "Testing"}


def test_no_wing_holds_too_many_files(repository, house):
    files = (Path(file) for file in files_of(repository, house) if not file.endswith("__init__.py"))
    counted = Counter(file.parent.as_posix() for file in files)
    assert {folder: count for folder, count in counted.items() if count > MOST_FILES} == {}


def test_no_file_imports_against_the_order_of_the_wings(house, imports):
    faults = against_the_order(house, imports)
    assert not faults, faults


def test_no_files_import_each_other_in_a_circle(imports):
    circle = circle_in(imports)
    assert not circle, circle


def test_no_house_imports_what_stands_on_it_or_beside_it(repository, house):
    for file in files_of(repository, house):
        source = (repository / house.folder / file).read_text(encoding="utf-8")
        first_names = {name.split(".")[0] for name in imported_names(source, [house.package])}
        assert not first_names & house.foreign, file


def test_imports_are_seen_in_all_their_forms_and_places():
    source = """
import os, house.a.b
from .c import x
if True:
    from ..d import y, z
def later():
    from house.e import w as other
    from ... import f
    importlib.import_module("house.g")
"""
    assert sorted(imported_names(source, ["house", "one", "two"])) == [
        *("house.a.b", "house.e.w", "house.f", "house.g", "house.one.d.y", "house.one.d.z", "house.one.two.c.x", "os")
    ]


def test_a_house_out_of_order_is_found_out():
    house = House("house", in_order("low", "high"), base=("errors.py",))
    imports = {
        "__init__.py": {"high/a.py"},
        "errors.py": {"low/a.py"},
        "low/a.py": {"errors.py", "low/b.py"},
        "low/b.py": {"high/a.py"},
        "high/a.py": {"low/a.py", "__init__.py"},
    }
    assert against_the_order(house, imports) == [
        *("errors.py imports low/a.py", "high/a.py imports __init__.py", "low/b.py imports high/a.py")
    ]
    assert circle_in(imports) == ["__init__.py", "high/a.py", "__init__.py"]
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
