"""3D Slicer module: upscale a volume with a super-resolution network. The parts are in SuperResolutionWidgets."""

from __future__ import annotations

import importlib.util
import sys
import time
import unittest
from pathlib import Path
from unittest.mock import patch

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if importlib.util.find_spec("SuperResolutionLib") is None:
    # A source checkout: Slicer has put this file's folder on the path, and the engine lies beside that folder.
    sys.path.append(str(Path(__file__).resolve().parent.parent))

from SuperResolutionWidgets.Forecast.Forecaster import Forecaster
from SuperResolutionWidgets.Forecast.RunTimes import RunTimes
from SuperResolutionWidgets.Forecast.SurveyedScan import SurveyedScan
from SuperResolutionWidgets.Installation.Check import InstallationCheck
from SuperResolutionWidgets.Installation.Installer import Installer
from SuperResolutionWidgets.Installation.SlicerPackages import SlicerPackages
from SuperResolutionWidgets.Panel.DeviceCatalog import DeviceCatalog
from SuperResolutionWidgets.Panel.ModelCatalog import ModelCatalog
from SuperResolutionWidgets.Panel.ParameterNode import SuperResolutionParameterNode
from SuperResolutionWidgets.Panel.QtQuietTimer import QtQuietTimer
from SuperResolutionWidgets.Panel.Sections import Panel
from SuperResolutionWidgets.Panel.widgetsByParameter import widgetsByParameter
from SuperResolutionWidgets.Scene.EngineCall import EngineCall
from SuperResolutionWidgets.Scene.FolderUpscaler import FolderUpscaler
from SuperResolutionWidgets.Scene.NodeFuser import NodeFuser, runFusion
from SuperResolutionWidgets.Scene.NodeUpscaler import NodeUpscaler, runEngine
from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement
from SuperResolutionWidgets.Scene.SequencePlacement import SequencePlacement
from SuperResolutionWidgets.Scene.SequenceUpscaler import SequenceUpscaler
from SuperResolutionWidgets.Scene.ThickSliceSample import ThickSliceSample
from SuperResolutionWidgets.Scene.VolumeNodes import firstVolumeNode
from SuperResolutionWidgets.Worker.QtProcess import QtWorkerProcess
from SuperResolutionWidgets.Worker.UpscaleJob import UpscaleJob
from SuperResolutionWidgets.Worker.UpscaleOutcome import UpscaleOutcome
from SuperResolutionWidgets.Worker.WarmWorker import WarmWorker


class SuperResolution(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Super Resolution")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = []
        self.parent.contributors = ["The SuperResolution contributors"]
        self.parent.helpText = _(
            "Makes a finer volume of an MRI volume, with finer pixels or with new slices between thick ones: a neural"
            " network predicts what lies between the voxels, and the result agrees with what the scanner measured."
            " Choose a volume and click <b>Upscale</b>.<br><br>"
            "The result is a prediction, for research only: do not use it for diagnosis.<br><br>"
            'See <a href="https://github.com/SuperResolutionSlicer/SlicerSuperResolution">the documentation</a>.'
        )
        self.parent.acknowledgementText = _(
            "The networks follow SRGAN-D and ESRGAN (Wang et al., 2018). Built with PyTorch, MONAI and 3D Slicer, and"
            " trained on public scans, which the model cards name."
        )
        slicer.app.connect("startupCompleted()", ThickSliceSample().register)


class SuperResolutionWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Ties the panel to the application: its scene, its module life cycle, its parameter node."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self.warmWorker = None
        self.installationCheck = None
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SuperResolution.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SuperResolutionLogic()
        self.warmWorker = WarmWorker(self._newProcess, slicer.app.temporaryPath)
        runTimes = RunTimes(slicer.app.userSettings())
        self.panel = Panel(
            self.ui,
            startJob=self._newJob,
            warmWorker=self.warmWorker,
            installer=self.logic.installer,
            placement=ResultPlacement(),
            sequences=SequencePlacement(),
            models=ModelCatalog(),
            devices=DeviceCatalog(),
            forecast=Forecaster(runTimes),
            runTimes=runTimes,
            scan=SurveyedScan(),
            whenQuiet=lambda function: QtQuietTimer(function, slicer.app),
        )
        self.installationCheck = InstallationCheck(self.ui, self._newProcess, self.logic.installer)
        self.logic.installer.onInstalled = self._onPackagesInstalled
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndChange)
        # What a scene that is loaded or restored brings into the parameter node is whole only when it has ended.
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndChange)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndRestoreEvent, self.onSceneEndChange)
        self.initializeParameterNode()

    def cleanup(self):
        if self.panel is not None:
            self.panel.stop()
        if self.installationCheck is not None:
            self.installationCheck.stop()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        # A run goes on while the user works in another module.
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.panel.stop()
        self.installationCheck.dismiss()
        self.setParameterNode(None)

    def onSceneEndChange(self, caller, event):
        if self.parent.isEntered or self._parameterNode is not None:
            self.initializeParameterNode()

    def onReload(self):
        for name in [n for n in sys.modules if n.split(".")[0] in ("SuperResolutionWidgets", "SuperResolutionLib")]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            self._parameterNode.inputVolume = firstVolumeNode()

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersModified)
        self._parameterNode = parameterNode
        if self._parameterNode:
            # Not connectGui, which returns no tag in Slicer 5.8, so that nothing could be disconnected.
            self._guiTag = self._parameterNode.connectParametersToGui(widgetsByParameter(self.ui))
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersModified)
        if self.panel is not None:
            self.panel.setParameters(self._parameterNode)

    def _onParametersModified(self, caller=None, event=None):
        self.panel.refresh()

    def _onPackagesInstalled(self):
        self.installationCheck.dismiss()
        self.panel.onPackagesInstalled()

    def _newProcess(self):
        return QtWorkerProcess(slicer.app)

    def _newJob(self, onProgress, onFinished):
        return UpscaleJob(self._newProcess(), onProgress, onFinished, temporaryPath=slicer.app.temporaryPath)


class SuperResolutionLogic(ScriptedLoadableModuleLogic):
    """Upscaling from Python, without the panel.

    Example::

        logic = slicer.util.getModuleLogic("SuperResolution")
        fineNode = logic.upscale(slicer.util.getNode("MRHead"), factor=4)
    """

    def __init__(self, engine=runEngine, fusion=runFusion):
        ScriptedLoadableModuleLogic.__init__(self)
        self._nodeFuser = NodeFuser(fusion)
        self._nodeUpscaler = NodeUpscaler(engine)
        self._sequenceUpscaler = SequenceUpscaler(engine)
        self._folderUpscaler = FolderUpscaler()
        self.installer = Installer(SlicerPackages(), Path(__file__).parent / "Resources" / "requirements.txt")

    def getParameterNode(self):
        return SuperResolutionParameterNode(super().getParameterNode())

    def install(self):
        """Install the Python packages that upscaling needs, after asking; raises InstallError, one sentence."""
        self.installer.ensure()

    def upscale(
        self,
        inputNode,
        factor=4,
        outputNode=None,
        show=True,
        progress=None,
        cancelled=None,
        asStored=False,
        **options,
    ):
        """Return a volume node that holds ``inputNode`` upscaled. It runs in this process and blocks; nothing is asked.

        Args:
            inputNode: a scalar volume node; it is not changed.
            factor: up to 8, whole, for the slice plane, or one per axis i, j, k, as in ``(2, 2, 1)`` or ``(1, 1, 4)``.
            outputNode: the scalar volume node to fill; None makes a new one, ``<input> SR x4``.
            show: whether slice views that show the input show the result instead; all do where nothing is on show.
            progress: called as ``progress(done, total, message)``.
            cancelled: polled; return True to stop.
            asStored: leave a zero-filled scan as it is; by default it is upscaled from its acquired band.
            options: other fields of ``SuperResolutionLib.UpscaleRequest``: ``isotropic`` or
                ``spacing`` (mm) instead of a factor, ``thickness`` (mm), ``adapt`` and ``level`` for new slices,
                ``model``, ``detail``, ``device``, ``quality``, ... and ``region``, six numbers R, A, S, R, A, S in mm
                or a markups ROI node.

        Raises:
            SuperResolutionLib.errors.InputError: the node or a choice cannot be served; one sentence says why.
            SuperResolutionLib.errors.Cancelled: ``cancelled()`` returned True. The scene is as it was, here too.
        """
        asked = {"progress": progress, "cancelled": cancelled, "asStored": asStored, **options}
        return self._nodeUpscaler.upscale(inputNode, factor, outputNode, show, **asked)

    def fuse(self, nodes, outputNode=None, show=True, progress=None, cancelled=None, **options):
        """Return a volume node that holds several scans of one patient in one contrast, made one isotropic volume.

        It runs in this process and blocks; nothing is asked.

        Args:
            nodes: two scalar volume nodes or more, the reference first: name, place, transform, study, window and units
                of the result are its own. None of them is changed.
            outputNode: the scalar volume node to fill; None makes a new one, ``<first> SR fused``.
            show: whether slice views that show the first scan show the result instead.
            progress: called as ``progress(done, total, message)``; each step counts anew.
            cancelled: polled; return True to stop.
            options: fields of ``SuperResolutionLib.fusion.request.FuseRequest``: ``spacing`` (mm), ``motion``
                (``stacks`` or ``none``), ``extent`` (``union``, ``common`` or ``first``), ``sharpen``,
                ``all_detail``, ``force``, ``device``, ``output_type``.

        Raises:
            SuperResolutionLib.errors.InputError: the nodes or a choice cannot be served; one sentence says why.
            SuperResolutionLib.errors.Cancelled: ``cancelled()`` returned True. The scene is as it was, here too.

        Example::

            nodes = [slicer.util.getNode(name) for name in ("t2 tra", "t2 cor", "t2 sag")]
            fusedNode = slicer.util.getModuleLogic("SuperResolution").fuse(nodes)
        """
        return self._nodeFuser.fuse(nodes, outputNode, show, progress, cancelled, **options)

    def upscaleSequence(
        self, sequenceNode, factor=4, show=True, progress=None, cancelled=None, asStored=False, **options
    ):
        """Return a sequence node that holds every volume of ``sequenceNode`` upscaled, at the same index values.

        It is browsed together with ``sequenceNode``; where no browser node does that, it gets one of its own. Arguments
        and errors are those of ``upscale``.

        Args:
            sequenceNode: a vtkMRMLSequenceNode of scalar volumes, as of a 4-D scan; it is not changed.
            show: whether slice views that show the sequence show the result's current volume instead.

        Example::

            sequenceNode = slicer.util.getNodesByClass("vtkMRMLSequenceNode")[0]
            fineNode = slicer.util.getModuleLogic("SuperResolution").upscaleSequence(sequenceNode, factor=2)
            slicer.util.saveNode(fineNode, "fine.seq.nrrd")
        """
        call = EngineCall(factor, progress, cancelled, asStored, **options)
        return self._sequenceUpscaler.upscale(sequenceNode, call, show)

    def upscaleFolder(
        self,
        inputFolder,
        outputFolder,
        factor=4,
        resume=False,
        progress=None,
        finished=None,
        cancelled=None,
        asStored=False,
        **options,
    ):
        """Upscale every volume and DICOM series below a folder, from file to file; the scene is not touched.

        One that fails does not stop the rest. The results keep their folders and names; ``summary.csv`` in the output
        folder tells what became of each.

        Args:
            resume: skip what is there from the same input and the same options.
            progress: called as ``progress(done, total, message)`` for the slices of each volume.
            finished: called as ``finished(number, total, outcome)`` after each volume.
            options: other fields of ``SuperResolutionLib.UpscaleRequest``, as for ``upscale``.

        Returns:
            A list of ``SuperResolutionLib.cohort.summary.Outcome``: ``name``, ``output``, ``state`` (done, skipped,
            failed or cancelled), ``message``, ``report``.

        Raises:
            SuperResolutionLib.errors.InputError: no such folder, no volumes in it, or no place for the results.

        Example::

            logic = slicer.util.getModuleLogic("SuperResolution")
            for outcome in logic.upscaleFolder("/data/scans", "/data/scans_x2", factor=2, resume=True):
                print(outcome.state, outcome.name, outcome.message)
        """
        call = EngineCall(factor, progress, cancelled, asStored, **options)
        return self._folderUpscaler.upscale(inputFolder, outputFolder, call, resume, finished)


class SuperResolutionTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, without a network connection and without installing anything."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        result = unittest.TestResult()
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            SuperResolutionTest(name).run(result)
        for test, reason in result.skipped:
            print(f"Skipped {test}: {reason}")
        problems = [trace for _test, trace in result.errors + result.failures]
        if problems:
            raise AssertionError("\n".join(problems))

    def test_a_volume_from_a_file_is_upscaled_in_its_place(self):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "head é.nrrd")
            slicer.util.saveNode(self._volume(), path)
            slicer.mrmlScene.Clear()
            inputNode = slicer.util.loadVolume(path)
        node = SuperResolutionLogic(engine=_repeatVoxels).upscale(inputNode, factor=2)
        self.assertEqual(node.GetImageData().GetDimensions(), (48, 40, 6))
        np.testing.assert_allclose(self._bounds(node), self._bounds(inputNode), atol=1e-6)

    def test_the_thick_slice_sample_is_in_sample_data(self):
        import SampleData

        ThickSliceSample().register()
        sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory(ThickSliceSample.CATEGORY)
        self.assertEqual([source.sampleName for source in sources], [ThickSliceSample.NAME])

    def test_the_worker_answers_and_can_be_killed(self):
        output, errors, exitCodes = bytearray(), bytearray(), []
        # It lists the models without PyTorch, which the test machine may lack.
        QtWorkerProcess(slicer.app).start(["models", "--json"], output.extend, errors.extend, exitCodes.append)
        self._wait(lambda: exitCodes)
        self.assertEqual(exitCodes, [0], errors.decode("utf-8", "replace"))
        self.assertIn(b"mri-x2-compact", output)
        worker = QtWorkerProcess(slicer.app)
        worker.start(["doctor"], output.extend, errors.extend, exitCodes.append)
        worker.kill()
        slicer.app.processEvents()
        self.assertEqual(exitCodes, [0])

    def test_the_panel_upscales_cancels_and_upscales_again_where_the_engine_is_installed(self):
        self._skipWithoutEngine()
        inputNode = self._volume()
        widget = slicer.util.getModuleWidget("SuperResolution")
        widget.initializeParameterNode()
        widget.logic.getParameterNode().inputVolume = inputNode
        widget.logic.getParameterNode().device = "cpu"
        count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        widget.ui.upscaleButton.click()
        widget.ui.cancelButton.click()
        self.assertFalse(widget.ui.cancelButton.enabled)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), count)
        widget.ui.upscaleButton.click()
        self._wait(lambda: not widget.ui.cancelButton.enabled)
        self.assertEqual(
            slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), count + 1, widget.ui.statusLabel.text
        )

    def test_upscale_makes_a_finer_volume_in_the_same_place(self):
        inputNode = self._volume()
        before = slicer.util.arrayFromVolume(inputNode).copy()
        node = SuperResolutionLogic(engine=_repeatVoxels).upscale(inputNode, factor=2)
        self.assertEqual(node.GetName(), "Phantom SR x2")
        self.assertEqual(node.GetImageData().GetDimensions(), (48, 40, 6))
        np.testing.assert_allclose(self._bounds(node), self._bounds(inputNode), atol=1e-6)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(inputNode), before)
        self.assertEqual(node.GetDisplayNode().GetWindow(), inputNode.GetDisplayNode().GetWindow())

    def test_several_scans_are_fused_beside_the_first(self):
        nodes = [self._volume(), self._volume()]
        node = SuperResolutionLogic(fusion=_firstScan).fuse(nodes)
        self.assertEqual(node.GetName(), f"{nodes[0].GetName()} SR fused")
        np.testing.assert_allclose(self._bounds(node), self._bounds(nodes[0]), atol=1e-6)

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        from SuperResolutionLib.errors import Cancelled

        inputNode = self._volume()
        count = slicer.mrmlScene.GetNumberOfNodes()
        with self.assertRaises(Cancelled):
            SuperResolutionLogic(engine=_repeatVoxels).upscale(inputNode, cancelled=lambda: True)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)

    def test_bad_input_is_refused_in_one_sentence(self):
        from SuperResolutionLib.errors import InputError

        logic = SuperResolutionLogic(engine=_repeatVoxels)
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
        for node in (None, empty, labels):
            with self.assertRaises(InputError):
                logic.upscale(node)

    def test_the_panel_follows_its_parameter_node(self):
        inputNode = self._volume()
        widget = slicer.util.getModuleWidget("SuperResolution")
        widget.initializeParameterNode()
        widget.logic.getParameterNode().inputVolume = inputNode
        self.assertTrue(widget.ui.upscaleButton.enabled)
        self.assertIn("voxels at", widget.ui.forecastLabel.text)
        widget.ui.purposeComboBox.setCurrentIndex(0)
        self.assertIn("48\u00a0×\u00a040\u00a0×\u00a06", widget.ui.forecastLabel.text)

    def test_a_scene_that_is_loaded_with_the_panel_open_is_taken_up(self):
        import tempfile

        widget = slicer.util.getModuleWidget("SuperResolution")
        widget.initializeParameterNode()
        inputNode = self._volume()
        widget.logic.getParameterNode().inputVolume = inputNode
        with tempfile.TemporaryDirectory() as folder:
            inputNode.AddDefaultStorageNode(str(Path(folder) / "head.nrrd"))
            self.assertTrue(inputNode.GetStorageNode().WriteData(inputNode))
            slicer.mrmlScene.Commit(str(Path(folder) / "scene.mrml"))
            slicer.mrmlScene.Clear()
            widget.initializeParameterNode()
            self.assertFalse(widget.ui.upscaleButton.enabled)
            slicer.mrmlScene.SetURL(str(Path(folder) / "scene.mrml"))
            slicer.mrmlScene.Import()
        self.assertEqual(widget.ui.inputSelector.currentNode().GetName(), "Phantom")
        self.assertIn("voxels at", widget.ui.forecastLabel.text)
        self.assertTrue(widget.ui.upscaleButton.enabled)

    def test_a_result_is_shown_in_the_place_of_its_input_and_no_view_moves(self):
        views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        if len(views) < 2:
            self.skipTest("there are no slice views")
        inputNode, other = self._volume(), self._volume()
        for view in views:
            view.SetBackgroundVolumeID(other.GetID())
        views[0].SetBackgroundVolumeID(inputNode.GetID())
        sliceNodes = [slicer.mrmlScene.GetSingletonNode(view.GetLayoutName(), "vtkMRMLSliceNode") for view in views]
        for sliceNode in sliceNodes:
            sliceNode.SetFieldOfView(12, 9, 1)
            sliceNode.JumpSliceByCentering(3, -4, -6)
        before = [self._place(sliceNode) for sliceNode in sliceNodes]
        result = SuperResolutionLogic(engine=_repeatVoxels).upscale(inputNode, factor=2)
        shown = [view.GetBackgroundVolumeID() for view in views]
        self.assertEqual(shown, [result.GetID()] + [other.GetID()] * (len(views) - 1))
        self.assertEqual([self._place(sliceNode) for sliceNode in sliceNodes], before)

    def test_the_panel_follows_its_input_volume(self):
        widget = slicer.util.getModuleWidget("SuperResolution")
        widget.initializeParameterNode()
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Late")
        widget.logic.getParameterNode().inputVolume = node
        self.assertIn("Late holds no voxels", widget.ui.forecastLabel.text)
        slicer.util.updateVolumeFromArray(node, slicer.util.arrayFromVolume(self._volume()))
        self._wait(lambda: widget.ui.upscaleButton.enabled, 10)
        node.SetSpacing(0.5, 0.5, 7.0)
        self._wait(lambda: "7.0\u00a0mm" in widget.ui.forecastLabel.text, 10)

    def test_the_live_view_shows_the_newest_of_twenty_slices_and_leaves_nothing(self):
        sliceNode = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
        composite = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
        if sliceNode is None or composite is None:
            self.skipTest("there are no slice views")
        inputNode = self._volume()
        composite.SetBackgroundVolumeID(inputNode.GetID())
        composite.SetForegroundVolumeID(None)
        sliceNode.JumpSliceByCentering(0, 0, -9)
        widget = slicer.util.getModuleWidget("SuperResolution")
        widget.initializeParameterNode()
        widget.logic.getParameterNode().inputVolume = inputNode
        widget.ui.purposeComboBox.setCurrentIndex(0)
        asked = []
        newJob = patch.object(widget.warmWorker, "newJob", lambda onProgress, onFinished: _LiveJob(asked, onFinished))
        with newJob, patch.object(widget.logic.installer, "ensure", lambda *_: None):
            count, fieldOfView = slicer.mrmlScene.GetNumberOfNodes(), sliceNode.GetFieldOfView()
            widget.ui.liveButton.click()
            for number in range(20):
                sliceNode.SetSliceOffset(-9 + 3 * (number % 6))
            asked[0].answer()
            asked[1].answer()
            self.assertEqual([job.options[-1].split(",")[2] for job in asked], ["0", "1"])
            shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
            self.assertEqual(shown.GetImageData().GetDimensions(), (48, 40, 1))
            self.assertEqual(sliceNode.GetFieldOfView(), fieldOfView)
            widget.ui.liveButton.click()
        self.assertIsNone(composite.GetForegroundVolumeID())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)

    def test_the_engine_upscales_where_it_is_installed(self):
        self._skipWithoutEngine()
        node = SuperResolutionLogic().upscale(self._volume(), factor=2, device="cpu", quality="fast")
        self.assertEqual(node.GetImageData().GetDimensions(), (48, 40, 6))

    def _skipWithoutEngine(self):
        try:
            import SuperResolutionLib.upscaling.upscale  # noqa: F401
        except ImportError as error:
            self.skipTest(f"the engine's packages are not installed: {error}")

    def _wait(self, until, seconds=120):
        deadline = time.monotonic() + seconds
        while not until():
            self.assertLess(time.monotonic(), deadline, "it took too long")
            slicer.app.processEvents()
            time.sleep(0.01)

    def _place(self, sliceNode):
        matrix = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS()).tolist()
        return matrix, sliceNode.GetFieldOfView(), sliceNode.GetXYZOrigin()

    def _bounds(self, node):
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        return bounds

    def _volume(self):
        k, j, i = np.mgrid[0:6, 0:20, 0:24]
        voxels = (1000 * np.exp(-((i - 12.0) ** 2 + (j - 10.0) ** 2) / 40) + 10 * k).astype(np.int16)
        matrix = np.array([[-0.9, 0, 0, 11], [0, -0.9, 0, 7], [0, 0, 3.0, -9], [0, 0, 0, 1]])
        return slicer.util.addVolumeFromArray(voxels, ijkToRAS=matrix, name="Phantom")


class _LiveJob:
    """Stands in for a job of the warm worker: nearest-neighbour upscaling of a part, when the test says so."""

    def __init__(self, asked, onFinished):
        self._onFinished = onFinished
        asked.append(self)

    def start(self, volume, options, companions=()):
        self.volume, self.options = volume, options

    def cancel(self):
        """Nothing goes on that could be ended."""

    def answer(self):
        indices = [int(index) for index in self.options[-1].split(",")]
        part = self.volume.cropped(indices[:3], indices[3:])
        result = _repeatVoxels(part, {"factor": 2}, lambda *step: None, lambda: False)
        self._onFinished(UpscaleOutcome(volume=result.volume, report=result.report))


def _repeatVoxels(volume, options, progress, cancelled):
    """Stands in for the engine, whose packages the test machine may lack: nearest-neighbour upscaling."""
    from types import SimpleNamespace

    from SuperResolutionLib.errors import Cancelled
    from SuperResolutionLib.geometry.volume import Volume, refined_matrix

    if cancelled():
        raise Cancelled
    factors = (options["factor"], options["factor"], 1)
    voxels = volume.voxels.repeat(factors[1], axis=1).repeat(factors[0], axis=2)
    progress(1, 1, "Upscaling")
    report = {
        "program": "stand-in",
        "steps": [],
        "output": {"factors_ijk": list(factors)},
        "device": "cpu",
        "device_label": "CPU",
        "warnings": [],
    }
    return SimpleNamespace(volume=Volume(voxels, refined_matrix(volume.ijk_to_ras, factors)), report=report)


def _firstScan(volumes, options, progress, cancelled):
    """Stands in for the engine's fusion: the first scan upscaled as ``_repeatVoxels`` does."""
    return _repeatVoxels(volumes[0], {"factor": 2, **options}, progress, cancelled)
