"""The Slicer module under Slicer's real scene (the package slicer-core), its real .ui, and stand-ins for the rest."""

import ctypes
import importlib.util
import os
import sys
import types
import unittest
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "SuperResolution"), str(ROOT)]

# PySide6 6.12 gives a reference to None away with every empty QVariant; before Python 3.12 the last one ends the
# process.
if sys.version_info < (3, 12):
    ctypes.c_ssize_t.from_address(id(None)).value += 10**9


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture
def scene():
    """A fresh MRML scene with colour tables, as ``slicer.mrmlScene``."""
    slicer = pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core, which needs Python 3.11")
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    colours = slicer.vtkMRMLColorLogic()
    colours.SetMRMLScene(scene)
    yield scene
    scene.Clear(True)


@pytest.fixture
def views(scene):
    """The scene's slice views Red, Yellow and Green in the four-up layout: a function from name to its two nodes."""
    import slicer
    import slicer.util

    layout = scene.AddNode(slicer.vtkMRMLLayoutNode())
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    # Columns: to the right in the view, upwards, towards the viewer.
    axial, sagittal, coronal = (
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 0, 1], [-1, 0, 0], [0, 1, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
    )
    for name, axes in (("Red", axial), ("Yellow", sagittal), ("Green", coronal)):
        for node in (slicer.vtkMRMLSliceNode(), slicer.vtkMRMLSliceCompositeNode()):
            node.SetLayoutName(name)
            node.SetName(name)
            scene.AddNode(node)
        sliceNode = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        matrix = np.eye(4)
        matrix[:3, :3] = axes
        sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(matrix))
        sliceNode.SetDimensions(400, 300, 1)
        sliceNode.SetFieldOfView(80, 60, 1)
        sliceNode.UpdateMatrices()

    def find(name):
        return tuple(scene.GetSingletonNode(name, f"vtkMRMLSlice{kind}Node") for kind in ("", "Composite"))

    return find


@pytest.fixture
def layout_manager(scene, views, monkeypatch):
    """Slicer's layout manager as ``slicer.app`` has it: its slice logics fit the views when they are asked to."""
    from types import SimpleNamespace

    import slicer
    import vtk

    logics = vtk.vtkCollection()
    for name in ("Red", "Yellow", "Green"):
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLScene(scene)
        logic.SetSliceNode(views(name)[0])
        logic.SetSliceCompositeNode(views(name)[1])
        logics.AddItem(logic)
    manager = SimpleNamespace(mrmlSliceLogics=lambda: logics)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(layoutManager=lambda: manager), raising=False)
    return manager


OBLIQUE = np.array([[-0.72, 0.2, 0.4, 30.0], [0.18, 0.88, -0.3, -20.0], [-0.1, 0.02, 2.9, 15.0], [0, 0, 0, 1.0]])


def orthogonal(matrix, spacing):
    axes, _ = np.linalg.qr(matrix[:3, :3])
    matrix = matrix.copy()
    matrix[:3, :3] = axes * spacing
    return matrix


@pytest.fixture
def phantom(scene):
    """A volume node: int16, 24 x 20 x 6 voxels of 0.8 x 0.9 x 3 mm, oblique, a bright disc that grows by slice."""
    import slicer.util

    k, j, i = np.mgrid[0:6, 0:20, 0:24]
    voxels = (40 + 900 / (1 + np.exp(np.hypot(i - 12, j - 9) - 4 - 0.5 * k))).astype(np.int16)
    matrix = orthogonal(OBLIQUE, [0.8, 0.9, 3.0])
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=matrix, name="Phantom")


@pytest.fixture
def planes(scene):
    """Three volume nodes: a transverse, a coronal and a sagittal stack of a ball of 24 mm, slices of 4 mm."""
    import slicer.util

    nodes = []
    for name, order in {"tra": (0, 1, 2), "cor": (0, 2, 1), "sag": (1, 2, 0)}.items():
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for axis, (world, step) in enumerate(zip(order, (1, 1, 4))):
            matrix[world, axis], matrix[world, 3] = step, step / 2
        places = np.stack(np.indices((6, 24, 24))[::-1], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
        ball = 1 / (1 + np.exp(np.linalg.norm(places - 12, axis=-1) - 8))
        voxels = (100 + 600 * ball * (1 + 0.3 * np.sin(places / 3).sum(axis=-1))).astype(np.int16)
        nodes.append(slicer.util.addVolumeFromArray(voxels, ijkToRAS=matrix, name=f"T2 {name}"))
    return nodes


@pytest.fixture
def bench(scene, tmp_path):
    """A ``PanelBench`` whose panel is not open yet."""
    from panel_bench import PanelBench

    made = PanelBench(tmp_path)
    yield made
    made.warm.stop()


@pytest.fixture
def ready(bench, phantom):
    """An open panel with the phantom chosen, ×2, fast, on the CPU."""
    from SuperResolutionWidgets.Panel.Purpose import Purpose
    from SuperResolutionWidgets.Panel.Quality import Quality

    bench.parameters.inputVolume = phantom
    bench.parameters.purpose = Purpose.TIMES_2
    bench.parameters.quality = Quality.FAST
    bench.parameters.device = "cpu"
    return bench.open()


@pytest.fixture
def python_slicer(tmp_path, monkeypatch):
    """A function that puts a launcher of that code on the PATH: it starts Python as a child and waits, as Slicer's."""

    if os.name == "nt":
        pytest.skip("the launcher is a script of a shell that Windows does not have")

    def install(run='"$@"'):
        folder = tmp_path / "Slicer é 5.8"
        folder.mkdir()
        launcher = folder / "PythonSlicer"
        launcher.write_text(f'#!/bin/sh\n"{sys.executable}" {run}\nexit $?\n')
        launcher.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder) + os.pathsep + os.environ["PATH"])

    return install


@pytest.fixture
def nearest():
    """An engine whose networks repeat voxels; see ``NodeUpscaler``. ``nearest.options`` is what it was last asked."""
    from types import SimpleNamespace

    from SuperResolutionLib.errors import Cancelled
    from SuperResolutionLib.geometry.volume import Volume, refined_matrix

    class Nearest:
        def __call__(self, volume, options, progress, cancelled):
            self.options = options
            for step in range(4):
                progress(step, 4, "Upscaling")
                if cancelled():
                    raise Cancelled
            factors = options["factor"]
            factors = factors if isinstance(factors, tuple) else (factors, factors, 1)
            voxels = volume.voxels
            for axis, factor in zip((2, 1, 0), factors):
                voxels = voxels.repeat(factor, axis=axis)
            report = {
                "program": "SuperResolution 0",
                "steps": [{"kind": "slice plane", "model": "nearest", "model_sha256": "00ff", "detail": 0.0}],
                "output": {"factors_ijk": list(factors)},
                "device": "cpu",
                "device_label": "CPU",
                "seconds": 0.1,
                "warnings": [],
            }
            return SimpleNamespace(volume=Volume(voxels, refined_matrix(volume.ijk_to_ras, factors)), report=report)

    return Nearest()


@pytest.fixture
def contents(scene):
    """A function that returns all that a failed run might leave in the scene: nodes and hierarchy items."""
    import slicer
    import vtk

    def list_contents():
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        items = vtk.vtkIdList()
        hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
        nodes = sorted(scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes()))
        return nodes, sorted(items.GetId(n) for n in range(items.GetNumberOfIds()))

    return list_contents


class _Base:
    """Stands in for the base classes of a scripted module."""

    def __init__(self, *arguments):
        pass


@pytest.fixture
def module(root, scene, monkeypatch):
    """SuperResolution.py, under stand-ins for what only the application has."""

    def stand_in(name, **contents):
        made = types.ModuleType(name)
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, name, made)

    slicer = pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
    stand_in("qt")
    stand_in("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    stand_in(
        "slicer.ScriptedLoadableModule",
        ScriptedLoadableModule=type("ScriptedLoadableModule", (_Base,), {}),
        ScriptedLoadableModuleWidget=type("ScriptedLoadableModuleWidget", (_Base,), {}),
        ScriptedLoadableModuleLogic=type("ScriptedLoadableModuleLogic", (_Base,), {}),
        ScriptedLoadableModuleTest=unittest.TestCase,
    )
    started = []
    application = types.SimpleNamespace(
        connect=lambda signal, function: started.append((signal, function)), layoutManager=lambda: None
    )
    monkeypatch.setattr(slicer, "app", application, raising=False)
    stand_in("slicer.parameterNodeWrapper", parameterNodeWrapper=lambda cls: cls, WithinRange=lambda *limits: limits)
    for name in [name for name in sys.modules if name.startswith("SuperResolutionWidgets.")]:
        monkeypatch.delitem(sys.modules, name)
    spec = importlib.util.spec_from_file_location("SuperResolution", root / "SuperResolution/SuperResolution.py")
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "SuperResolution", loaded)
    spec.loader.exec_module(loaded)
    loaded.started = started
    yield loaded
    # Modules that only this test has imported hold classes that no other test knows.
    for name in [name for name in sys.modules if name.startswith("SuperResolutionWidgets.")]:
        del sys.modules[name]


@pytest.fixture
def widget(module, scene, views, tmp_path, monkeypatch):
    """The module's widget, set up with its real .ui, its real panel and its real worker under PySide6's Qt."""
    stand_ins = pytest.importorskip("pythonqt_stand_ins", reason="the .ui is loaded with PySide6")
    import slicer.util
    from panel_bench import StandInSettings

    top, ui = stand_ins.load_panel()
    monkeypatch.setattr(slicer.util, "loadUI", lambda path: top, raising=False)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", lambda widget: ui, raising=False)
    application = stand_ins.Application(
        temporaryPath=str(tmp_path),
        userSettings=StandInSettings,
        layoutManager=lambda: None,
        processEvents=stand_ins.process_events,
    )
    monkeypatch.setattr(slicer, "app", application, raising=False)
    monkeypatch.setitem(sys.modules, "qt", stand_ins.qt_module())
    for user in ("Worker.QtProcess", "Panel.QtQuietTimer"):
        monkeypatch.setattr(sys.modules[f"SuperResolutionWidgets.{user}"], "qt", sys.modules["qt"])
    monkeypatch.setattr(module, "Installer", lambda *arguments: types.SimpleNamespace(ensure=lambda *_: None))
    monkeypatch.setattr(module, "SuperResolutionParameterNode", lambda node: stand_ins.StandInParameters())
    monkeypatch.setattr(_Base, "getParameterNode", lambda self: None, raising=False)
    monkeypatch.setattr(_Base, "setup", lambda self: None, raising=False)
    monkeypatch.setattr(_Base, "resourcePath", lambda self, name: name, raising=False)
    made = module.SuperResolutionWidget()
    made.layout = types.SimpleNamespace(addWidget=lambda widget: None)
    made.parent = types.SimpleNamespace(isEntered=True)
    made.setup()
    monkeypatch.setattr(slicer.util, "getModuleWidget", lambda name: made, raising=False)
    yield made
    made.cleanup()
