"""What the extension's package holds, and the Extensions Index's rules that a script can check."""

import ast
import json
import re
import struct
import sys

import pytest

ALLOWED = {"slicer", "vtk", "qt", "ctk", "numpy", "SimpleITK"}
OWN = {"SuperResolutionLib", "SuperResolutionWidgets"}


def listed(cmake, variable):
    body = re.search(rf"set\({variable}\n(.*?)\)", cmake, re.DOTALL).group(1)
    name = re.search(r"set\(MODULE_NAME (\w+)\)", cmake).group(1)
    return sorted(body.replace("${MODULE_NAME}", name).split())


def on_disk(folder, keep):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "CMakeLists.txt" and keep(path)
    )


@pytest.mark.parametrize("name", ["SuperResolution", "SuperResolutionLib"])
def test_every_file_is_listed_in_cmake_and_every_listed_file_is_there(root, name):
    folder = root / name
    cmake = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    assert listed(cmake, "MODULE_PYTHON_SCRIPTS") == on_disk(folder, lambda path: path.suffix == ".py")
    assert listed(cmake, "MODULE_PYTHON_RESOURCES") == on_disk(folder, lambda path: path.suffix != ".py")


def test_the_engine_is_installed_in_a_folder_of_its_own(root):
    assert (
        "WITH_SUBDIR"
        in (root / "SuperResolutionLib/CMakeLists.txt").read_text(encoding="utf-8").split("slicerMacro")[1]
    )
    assert "WITH_SUBDIR" not in (root / "SuperResolution/CMakeLists.txt").read_text(encoding="utf-8")


@pytest.fixture
def extension(root):
    cmake = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    return cmake, dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]*)"\)$', cmake, re.MULTILINE))


def test_the_extension_describes_itself(extension):
    cmake, fields = extension
    assert re.search(r"^project\(SuperResolution\)$", cmake, re.MULTILINE)
    wanted = {"HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"}
    assert set(fields) == wanted
    assert fields["CATEGORY"] == "Filtering"
    assert fields["DEPENDS"] == "PyTorch"


def test_pictures_are_linked_as_raw_files(extension, root):
    _, fields = extension
    for key in ("ICONURL", "SCREENSHOTURLS"):
        for address in fields[key].split():
            assert re.fullmatch(r"https://raw\.githubusercontent\.com/\S+\.png", address)
            assert (root / address.split("/main/")[1]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# Of the index's schema for entries, version 1.0.1.
REQUIRED_KEYS = {"$schema", "category", "scm_url"}
KEYS = REQUIRED_KEYS | {"scm_revision", "scm_type", "build_dependencies", "build_subdirectory", "enabled", "tier"}


def test_the_entry_for_the_index_agrees_with_cmake(extension, root):
    _, fields = extension
    content = (root / "Documentation" / "SuperResolution.json").read_bytes()
    assert b"\r" not in content
    entry = json.loads(content)
    assert REQUIRED_KEYS <= set(entry) <= KEYS
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert entry["category"] == fields["CATEGORY"]
    assert entry["build_dependencies"] == fields["DEPENDS"].split()
    repository = entry["scm_url"][: -len(".git")]
    assert repository.rsplit("/", 1)[1].startswith("Slicer")
    assert fields["HOMEPAGE"].startswith(repository)
    assert repository.replace("github.com", "raw.githubusercontent.com") in fields["ICONURL"]


def pages(root):
    tops = [root / "README.md", root / "CONTRIBUTING.md", root / "Training" / "README.md"]
    return [*tops, *sorted((root / "Documentation").glob("*.md"))]


def test_every_link_and_picture_of_the_documentation_is_there(root):
    for page in pages(root):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            path, _, heading = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), (page.name, target)
            if heading:
                headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
                assert heading in anchors, (page.name, target)


def test_the_readme_has_what_the_index_asks_for(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    for heading in ("In Slicer", "Installation", "Privacy", "Patents", "How to cite", "Data and licences"):
        assert f"\n## {heading}\n" in readme
    assert "The extension has one module, **Super Resolution**" in readme
    assert "To remove it all" in readme
    assert "Documentation/tutorial.md" in readme


def test_both_modules_are_built(extension):
    cmake, _ = extension
    order = [
        cmake.index(step)
        for step in (
            "find_package(Slicer REQUIRED)",
            "include(${Slicer_USE_FILE})",
            "add_subdirectory(SuperResolution)",
            "add_subdirectory(SuperResolutionLib)",
            "include(${Slicer_EXTENSION_GENERATE_CONFIG})",
            "include(${Slicer_EXTENSION_CPACK})",
        )
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("path", ["SuperResolution.png", "SuperResolution/Resources/Icons/SuperResolution.png"])
def test_the_icon_is_a_png_of_128_pixels(root, path):
    content = (root / path).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (128, 128)


def sources(root):
    return sorted((root / "SuperResolution").rglob("*.py"))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python tells its own modules from 3.10 on")
def test_nothing_third_party_is_imported_when_slicer_starts(root):
    for path in sources(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and node.col_offset == 0:
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.col_offset == 0 and node.level == 0:
                names = [node.module]
            else:
                continue
            assert {name.split(".")[0] for name in names} <= ALLOWED | OWN | sys.stdlib_module_names, path


def test_the_engine_parts_that_load_with_slicer_are_light():
    import subprocess

    code = (
        "import sys, SuperResolutionLib.errors, SuperResolutionLib.geometry.volume\n"
        "import SuperResolutionLib.files.reading, SuperResolutionLib.files.writing\n"
        "print([name for name in ('torch', 'monai', 'safetensors', 'tqdm', 'matplotlib') if name in sys.modules])"
    )
    root = __file__.rsplit("Testing", 1)[0]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_the_module_reads_on_python_3_9(root):
    for path in sources(root):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, feature_version=(3, 9))
        # Annotations such as ``str | None`` run on 3.9 only where they are not evaluated.
        unions = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.BitOr) for n in ast.walk(tree))
        assert not unions or "from __future__ import annotations" in source, path


def test_qt_is_needed_only_where_the_name_says_so(root):
    importers = [
        path.stem for path in sources(root) if re.search(r"^import (qt|ctk)\b", path.read_text(encoding="utf-8"), re.M)
    ]
    assert sorted(importers) == ["QtProcess", "QtQuietTimer"]
