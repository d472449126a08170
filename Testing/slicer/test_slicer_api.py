"""The table of Slicer, VTK and Qt calls against the module's source and against the real libraries."""

import ast

import pytest
from api_calls import ApiTable, calls_by_name


@pytest.fixture(scope="module")
def page(root):
    return (root / "Documentation" / "slicer_api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def used(root):
    return calls_by_name(root / "SuperResolution")


def test_the_table_holds_every_call_and_no_other(page, used):
    assert ApiTable(page).renewed(used) == page, "run python Testing/slicer/api_calls.py and fill in its question marks"


def test_every_name_was_looked_up(page):
    rows = ApiTable(page).rows
    assert len(rows) > 100
    assert [name for name, (_, since, place) in rows.items() if ApiTable.UNKNOWN in (since, place)] == []


def test_a_name_that_is_younger_than_slicer_5_8_is_used_with_a_fallback(page, root):
    for name, (files, since, _) in ApiTable(page).rows.items():
        if since in ("5.8", "any"):
            continue
        for file in files:
            (path,) = (root / "SuperResolution").rglob(file)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            guarded = [ast.unparse(part) for part in ast.walk(tree) if isinstance(part, ast.Try)]
            assert any(name.split(".")[-1] in text and "except" in text for text in guarded), (name, file)


def test_slicers_own_libraries_have_what_the_scene_is_asked(page):
    slicer = pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
    import vtk

    checked = 0
    for name, (_, _, place) in ApiTable(page).rows.items():
        if place.startswith("vtk"):
            owner = getattr(slicer, place, None) or getattr(vtk, place)
            member = name.split(".")[-1]
            assert member == place or hasattr(owner, member), name
            checked += 1
    assert checked > 50


def test_slicer_util_has_what_it_is_asked(page):
    pytest.importorskip("slicer", reason="slicer.util comes with slicer-core")
    import slicer.util

    names = [name.split(".")[-1] for name, (_, _, place) in ApiTable(page).rows.items() if place == "slicer.util"]
    assert len(names) > 10
    assert [name for name in names if not hasattr(slicer.util, name)] == []


def test_qt_has_what_its_objects_are_asked(page):
    QtWidgets = pytest.importorskip("PySide6.QtWidgets")
    from PySide6 import QtCore

    checked = 0
    for name, (_, _, places) in ApiTable(page).rows.items():
        for place in places.split(", "):
            owner = getattr(QtWidgets, place, None) or getattr(QtCore, place, None)
            if owner is None:
                continue
            member = name.strip(".").split(".")[-1].split("(")[0]
            meta = getattr(owner, "staticMetaObject", None)
            assert hasattr(owner, member) or member == place or meta.indexOfProperty(member) >= 0, name
            if name.endswith(")"):
                assert meta.indexOfSignal(name) >= 0, name
            checked += 1
    assert checked > 20


SOURCE = """
import slicer, qt, numpy as np, SimpleITK
from slicer.util import VTKObservationMixin

class Own:
    def Shout(self): pass

    def run(self, node, ui):
        slicer.mrmlScene.Clear()
        copy = slicer.util.arrayFromVolume(node).copy()
        node.GetDisplayNode().SetWindow(np.Inf())
        ui.bar.visible = True
        combo = self._ui.modelCombo
        combo.addItem(SimpleITK.WriteImage(copy))
        process = qt.QProcess()
        process.connect("finished(int)", self.run)
        process.start(Own().Shout(), engine().Request())
"""


def test_calls_are_found_in_all_their_forms_and_what_is_not_slicers_is_left_out(tmp_path):
    module, engine = tmp_path / "SuperResolution", tmp_path / "SuperResolutionLib"
    for folder, source in ((module, SOURCE), (engine, "class Request: pass")):
        folder.mkdir()
        (folder / "a.py").write_text(source, encoding="utf-8")
    assert set(calls_by_name(module)) == {
        "slicer.util.VTKObservationMixin",
        "slicer.mrmlScene.Clear",
        "slicer.util.arrayFromVolume",
        "GetDisplayNode",
        "SetWindow",
        ".visible",
        ".addItem",
        "qt.QProcess",
        ".connect",
        "finished(int)",
        ".start",
    }


def test_a_new_call_gets_a_row_with_question_marks_and_a_call_that_went_loses_its_row():
    text = "# Page\n\n## Slicer's Python\n\n| name | used in | since | declared in |\n| --- | --- | --- | --- |\n"
    table = ApiTable(text + "| `slicer.util.old` | a.py | 5.8 | x |\n| `slicer.util.kept` | a.py | 5.8 | y |\n")
    page = table.renewed({"slicer.util.kept": {"b.py"}, "GetNew": {"a.py"}})
    assert "old" not in page
    assert "| `slicer.util.kept` | b.py | 5.8 | y |" in page
    assert page.index("## The scene and VTK") < page.index("| `GetNew` | a.py | ? | ? |")
