"""SuperResolution.py itself, under stand-ins for what only the application has; its own Slicer test runs here too."""

import sys
import types
import unittest

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer.util  # noqa: E402

NEEDS_THE_APPLICATION = {
    "test_a_volume_from_a_file_is_upscaled_in_its_place",
    "test_the_thick_slice_sample_is_in_sample_data",
    "test_the_worker_answers_and_can_be_killed",
}
NEEDS_THE_PANEL = {
    "test_a_scene_that_is_loaded_with_the_panel_open_is_taken_up",
    "test_the_live_view_shows_the_newest_of_twenty_slices_and_leaves_nothing",
    "test_the_panel_follows_its_input_volume",
    "test_the_panel_follows_its_parameter_node",
    "test_the_panel_upscales_cancels_and_upscales_again_where_the_engine_is_installed",
}


def run_own_tests(module, names):
    result = unittest.TestResult()
    unittest.TestSuite(map(module.SuperResolutionTest, sorted(names))).run(result)
    assert result.testsRun == len(names)
    assert not result.skipped
    assert not result.errors + result.failures, "\n".join(trace for _, trace in result.errors + result.failures)


def test_the_modules_own_tests_pass_with_slicers_scene(module, views):
    names = set(unittest.TestLoader().getTestCaseNames(module.SuperResolutionTest))
    names -= NEEDS_THE_APPLICATION | NEEDS_THE_PANEL
    assert len(names) == 6
    run_own_tests(module, names)


def test_the_modules_own_tests_can_fail(module, monkeypatch):
    def changed(self, *arguments, **options):
        return slicer.util.addVolumeFromArray(__import__("numpy").zeros((2, 2, 2)), name="Wrong")

    monkeypatch.setattr(module.SuperResolutionLogic, "upscale", changed)
    for name in (
        "test_upscale_makes_a_finer_volume_in_the_same_place",
        "test_a_cancelled_run_leaves_the_scene_as_it_was",
    ):
        result = unittest.TestResult()
        module.SuperResolutionTest(name).run(result)
        assert result.failures, name


@pytest.fixture
def parent(module):
    """What Slicer knows of the module once it has been made."""
    parent = types.SimpleNamespace()
    shell = module.SuperResolution.__new__(module.SuperResolution)
    shell.parent = parent
    shell.__init__(parent)
    return parent


def test_the_sample_data_set_is_registered_once_slicer_has_started(module, parent):
    ((signal, function),) = module.started
    assert signal == "startupCompleted()"
    assert function.__func__ is module.ThickSliceSample.register


def test_nothing_is_asked_or_installed_until_the_user_wants_it(module, monkeypatch):
    from SuperResolutionWidgets.Installation.PythonPackages import PythonPackages

    asked = []
    for name in (name for name in vars(PythonPackages) if not name.startswith("_")):
        monkeypatch.setattr(module.SlicerPackages, name, lambda *_, name=name: asked.append(name))
    logic = module.SuperResolutionLogic()
    assert asked == []
    monkeypatch.setattr(module.SlicerPackages, "inspect", lambda *_: (_ for _ in ()).throw(LookupError("asked")))
    with pytest.raises(LookupError, match="asked"):
        logic.install()


def test_the_module_has_a_title_a_category_and_a_warning(parent):
    assert parent.title == "Super Resolution"
    assert parent.categories == ["Filtering"]
    assert "not use it for diagnosis" in parent.helpText


def test_the_modules_own_tests_of_the_panel_pass(module, widget, python_slicer):
    python_slicer()
    run_own_tests(module, NEEDS_THE_PANEL)


def test_the_modules_widget_upscales_in_the_background(widget, phantom, python_slicer, tmp_path):
    from pythonqt_stand_ins import serve

    python_slicer()
    widget.initializeParameterNode()
    assert widget.ui.inputSelector.currentText == "Phantom"
    widget.ui.purposeComboBox.setCurrentIndex(0)
    widget.ui.deviceComboBox.setCurrentIndex(1)
    widget.ui.upscaleButton.widget.click()
    assert widget.ui.cancelButton.enabled
    serve(lambda: not widget.ui.cancelButton.enabled)
    assert slicer.util.getNode("Phantom SR x2").GetImageData().GetDimensions() == (48, 40, 6)
    assert widget.ui.statusLabel.text.startswith("Phantom SR x2: done in ")


def test_the_modules_own_test_of_the_live_view_passes(module, widget, monkeypatch):
    monkeypatch.setattr(slicer.util, "getModuleWidget", lambda name: widget, raising=False)
    result = unittest.TestResult()
    name = "test_the_live_view_shows_the_newest_of_twenty_slices_and_leaves_nothing"
    module.SuperResolutionTest(name).run(result)
    assert result.testsRun == 1 and not result.skipped
    assert not result.errors + result.failures, (result.errors + result.failures)[0][1]


def test_the_first_choice_is_a_volume_that_the_selector_shows(widget, scene):
    hidden = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16), name="Preview")
    hidden.SetHideFromEditors(True)
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Colours")
    widget.initializeParameterNode()
    assert widget.logic.getParameterNode().inputVolume is None
    head = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16), name="Head")
    widget.enter()
    assert widget.logic.getParameterNode().inputVolume is head
    assert widget.ui.inputSelector.currentText == "Head"


@pytest.mark.parametrize("end", ["cleanup", "onSceneStartClose"])
def test_closing_the_application_or_the_scene_ends_a_run(widget, phantom, python_slicer, tmp_path, contents, end):
    from pythonqt_stand_ins import serve
    from subprocess_worker import alive

    note = tmp_path / "pid"
    python_slicer(f"""-c "import os, time; open('{note}', 'w').write(str(os.getpid())); time.sleep(60)" """)
    widget.initializeParameterNode()
    before = contents()
    widget.ui.upscaleButton.widget.click()
    serve(lambda: note.exists() and note.read_text())
    widget.cleanup() if end == "cleanup" else widget.onSceneStartClose(None, None)
    assert not widget.ui.cancelButton.enabled
    serve(lambda: not alive(int(note.read_text())), seconds=5)
    assert contents() == before
    assert not list(tmp_path.glob("SuperResolution-*"))


def test_a_run_goes_on_in_another_module_and_a_new_scene_is_taken_up(widget, phantom, scene):
    widget.initializeParameterNode()
    widget.exit()
    assert not widget.ui.upscaleButton.enabled
    widget.enter()
    assert widget.ui.upscaleButton.enabled
    widget.onSceneStartClose(None, None)
    scene.Clear(False)
    widget.onSceneEndChange(None, None)
    assert widget.ui.inputSelector.currentNode() is None
    assert not widget.ui.upscaleButton.enabled


def test_a_source_checkout_finds_the_engine_beside_the_module(root):
    import subprocess

    code = (
        f"import sys; sys.path.insert(0, {str(root / 'SuperResolution')!r})\n"
        f"source = open({str(root / 'SuperResolution/SuperResolution.py')!r}, encoding='utf-8').read()\n"
        "start = source.index('if importlib.util.find_spec'); end = source.index('from SuperResolutionWidgets')\n"
        "import importlib.util; from pathlib import Path\n"
        f"__file__ = {str(root / 'SuperResolution/SuperResolution.py')!r}\n"
        "exec(source[start:end]); import SuperResolutionLib; print(SuperResolutionLib.__file__)"
    )
    answer = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == str(root / "SuperResolutionLib" / "__init__.py"), answer.stderr


def test_every_argument_of_the_console_reaches_the_engine(module, phantom, scene, nearest, tmp_path, monkeypatch):
    logic, heard = module.SuperResolutionLogic(engine=nearest), []
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    assert logic.upscale(phantom, 2, output, False, lambda *step: heard.append(step), None, True, detail=0.5) is output
    assert nearest.options == {"factor": 2, "as_stored": True, "detail": 0.5}
    assert heard[-1] == (3, 4, "Upscaling")
    logic.upscale(phantom)
    assert nearest.options == {"factor": 4, "as_stored": False}
    asked = []
    monkeypatch.setattr(module.FolderUpscaler, "upscale", lambda self, *arguments: asked.append(arguments))
    logic.upscaleFolder("in", "out", 2, True, None, print, lambda: True, device="cpu")
    inputFolder, outputFolder, call, resume, finished = asked[0]
    assert (inputFolder, outputFolder, resume, finished) == ("in", "out", True, print)
    assert call.fields == {"factor": 2, "as_stored": False, "device": "cpu"} and call.cancelled()


def readmeBlock(root, start):
    """The first block of Python in the README that begins with a line."""
    blocks = (root / "README.md").read_text(encoding="utf-8").split("```python\n")[1:]
    return next(block.split("```")[0] for block in blocks if block.startswith(start))


def test_the_console_fuses_as_the_page_says(module, root, planes, monkeypatch):
    asked = []

    def engine(volumes, options, progress, cancelled):
        asked.append((len(volumes), options))
        progress(1, 1, "Putting the scans together")
        report = {"program": "stand-in", "steps": [], "device": "cpu"}
        return types.SimpleNamespace(volume=volumes[0], report=report)

    logic = module.SuperResolutionLogic(fusion=engine)
    monkeypatch.setattr(slicer.util, "getModuleLogic", lambda name: logic, raising=False)
    for node, name in zip(planes, ("tra", "cor", "sag")):
        node.SetName(name)
    page = (root / "Documentation" / "fusion.md").read_text(encoding="utf-8")
    (block,) = (part.split("```")[0] for part in page.split("```python\n")[1:])
    named = {"slicer": slicer}
    exec(block, named)
    assert named["fusedNode"].GetName() == "tra SR fused" and asked == [(3, {"motion": "stacks"})]
    heard = []
    assert logic.fuse(planes, named["fusedNode"], False, lambda *step: heard.append(step)) is named["fusedNode"]
    assert heard == [(1, 1, "Putting the scans together")]


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_readmes_script_upscales_a_folder_and_ends_slicer(module, root, tmp_path, monkeypatch, spoilt):
    import numpy as np

    from SuperResolutionLib.files.reading import read_volume
    from SuperResolutionLib.files.writing import write_volume
    from SuperResolutionLib.geometry.volume import Volume

    (tmp_path / "scans").mkdir()
    if not spoilt:
        voxels = np.random.default_rng(0).integers(0, 900, (1, 20, 24)).astype(np.int16)
        write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), tmp_path / "scans" / "a.nrrd")
    codes = []
    monkeypatch.setattr(slicer.util, "exit", codes.append, raising=False)
    script = readmeBlock(root, "import slicer\n").replace("/data/", f"{tmp_path}/")
    if spoilt:
        with pytest.raises(ValueError, match="holds no volumes"):
            exec(script, {})
    else:
        exec(script, {})
        assert read_volume(tmp_path / "scans_x2" / "a.nrrd").dimensions == (48, 40, 1)
    assert codes == [int(spoilt)]


def test_the_readmes_console_lines_upscale_a_sequence(module, root, phantom, scene, nearest, monkeypatch):
    sequences = slicer.vtkSlicerSequencesLogic()
    sequences.SetMRMLScene(scene)
    monkeypatch.setattr(
        slicer,
        "modules",
        types.SimpleNamespace(sequences=types.SimpleNamespace(logic=lambda: sequences)),
        raising=False,
    )
    logic = module.SuperResolutionLogic(engine=nearest)
    logic.upscaleFolder = lambda *arguments, **options: []
    monkeypatch.setattr(slicer.util, "getModuleLogic", lambda name: logic, raising=False)
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Perfusion")
    node.SetDataNodeAtValue(phantom, "0")
    lines = readmeBlock(root, 'logic = slicer.util.getModuleLogic("SuperResolution")\nsequenceNode')
    exec(lines, {"slicer": slicer})
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode", scene)]
    assert names == ["Perfusion", "Perfusion SR x2"]
