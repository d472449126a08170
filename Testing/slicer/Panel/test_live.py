"""The live view in the panel: the real .ui, scene and views, and the warm worker, or one that answers at will."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402
from SuperResolutionWidgets.Scene.Companion import Companion  # noqa: E402
from SuperResolutionWidgets.Worker.UpscaleOutcome import UpscaleOutcome  # noqa: E402

from SuperResolutionLib.geometry.volume import Volume, refined_matrix  # noqa: E402

VIEWS = ("Red", "Yellow", "Green")


class Hand:
    """Stands in for the warm worker: each job waits until the test lets it be answered, by repeated voxels."""

    def __init__(self):
        self.jobs = []
        self.device = "cpu"
        self.stopped = 0

    def newJob(self, on_progress, on_finished):
        job = HandJob(self, on_finished)
        self.jobs.append(job)
        return job

    def stop(self):
        self.stopped += 1

    @property
    def open(self):
        return [job for job in self.jobs if job.is_open]

    def answer(self, rounds=10):
        """Answer all that is asked, and what is asked because of that."""
        for _ in range(rounds):
            if self.open:
                self.open[0].answer()
        assert not self.open


class HandJob:
    def __init__(self, hand, on_finished):
        self.hand, self.on_finished, self.is_open = hand, on_finished, False

    def start(self, volume, options, companions=()):
        self.volume, self.options, self.companions, self.is_open = volume, options, companions, True
        self.box = [int(index) for index in options[options.index("--box") + 1].split(",")]

    def cancel(self):
        self.is_open = False

    def answer(self):
        part = self.volume.cropped(self.box[:3], self.box[3:])
        factor = int(self.options[self.options.index("--factor") + 1]) if "--factor" in self.options else 1
        voxels = part.voxels.repeat(factor, axis=1).repeat(factor, axis=2)
        fine = Volume(voxels, refined_matrix(part.ijk_to_ras, (factor, factor, 1)))
        report = {"device": self.hand.device, "seconds": 0.1, "warnings": []}
        beside = {}
        if Companion.ERROR in self.companions:
            beside[Companion.ERROR] = Volume(np.sqrt(voxels.astype(np.float32)), fine.ijk_to_ras)
            report["expected_error"] = {"mean": 12.3456}
        self.finish(UpscaleOutcome(volume=fine, companions=beside, report=report))

    def fail(self, message="It crashed."):
        self.finish(UpscaleOutcome(message=message, log="last words"))

    def finish(self, outcome):
        self.is_open = False
        self.on_finished(outcome)


@pytest.fixture
def straight(scene, views):
    """A volume node along R, A, S: 40 x 30 x 24 voxels of 1 x 1 x 4 mm, shown in all views, whole in the red one."""
    k, j, i = np.mgrid[0:24, 0:30, 0:40]
    voxels = (100 + 10 * k + np.hypot(i - 20, j - 15)).astype(np.int16)
    node = slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([1.0, 1, 4, 1]), name="Head")
    node.CreateDefaultDisplayNodes()
    for name in VIEWS:
        views(name)[1].SetBackgroundVolumeID(node.GetID())
        views(name)[0].JumpSliceByCentering(19.5, 14.5, 20)
    return node


@pytest.fixture
def live(bench, straight):
    """An open panel with the straight volume chosen, ×2, on the CPU; ``live.hand`` answers."""
    bench.warm = bench.hand = Hand()
    bench.parameters.inputVolume = straight
    bench.parameters.purpose = Purpose.TIMES_2
    bench.parameters.device = "cpu"
    return bench.open()


def scroll(views, millimetres, name="Red"):
    views(name)[0].SetSliceOffset(millimetres)


def layer(views, name="Red"):
    """The volume that lies over the background of a view, or None."""
    return slicer.mrmlScene.GetNodeByID(views(name)[1].GetForegroundVolumeID() or "")


def state(views):
    """All that the live view may change and must bring back."""
    found = []
    for sliceNode, composite in map(views, VIEWS):
        found += [slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS()).tolist(), sliceNode.GetFieldOfView()]
        found += [sliceNode.GetXYZOrigin(), composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()]
        found += [composite.GetForegroundOpacity(), composite.GetCompositing(), composite.GetLinkedControl()]
        found += [composite.GetLabelVolumeID(), composite.GetLabelOpacity()]
    return found


def observers(views, node):
    """How many follow the scene, the views and the volume, of those that the live view may follow."""
    scene = slicer.mrmlScene
    followed = [scene, node, node.GetDisplayNode(), *(part for name in VIEWS for part in views(name))]
    return [part.HasObserver("ModifiedEvent") for part in followed], scene.HasObserver(scene.NodeRemovedEvent)


def test_the_slice_on_show_is_upscaled_in_its_view_and_off_again_without_a_trace(live, straight, views, contents):
    before = contents(), state(views), observers(views, straight)
    live.click("liveButton")
    assert live.ui.liveButton.checked
    (job,) = live.hand.open
    assert job.box == [0, 0, 5, 40, 30, 6] and "--adapt" not in job.options
    assert layer(views) is None
    live.hand.answer()
    shown = layer(views)
    assert shown.GetImageData().GetDimensions() == (80, 60, 1)
    assert (shown.GetHideFromEditors(), shown.GetSaveWithScene()) == (1, 0)
    assert views("Red")[1].GetForegroundOpacity() == 1 and layer(views, "Green") is None
    assert live.ui.liveLabel.text.startswith("Live in Red: slice 5, ")
    live.click("liveButton")
    assert (contents(), state(views), observers(views, straight)) == before
    assert live.ui.liveLabel.text == ""


def test_of_twenty_quick_scrolls_the_first_and_the_last_slice_are_asked_for(live, straight, views):
    live.click("liveButton")
    for slice_ in range(4, 24):
        scroll(views, 4 * slice_)
    (job,) = live.hand.open
    assert len(live.hand.jobs) == 1
    job.answer()
    # The slice of the first answer is not on show any more, so it is not shown.
    assert layer(views) is None
    live.hand.answer()
    assert [job.box[2] for job in live.hand.jobs] == [5, 23]
    assert layer(views).GetImageData().GetDimensions() == (80, 60, 1)
    assert volume_of(layer(views)).ijk_to_ras[2, 3] == 4 * 23


def volume_of(node):
    from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode

    return volumeFromNode(node)


def drawn(views, node):
    """What the red view shows of the node at its middle, by Slicer's own slice pipeline; None where that is nothing."""
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetSliceNode(views("Red")[0])
    logic.UpdatePipeline()
    layer_logic = {
        views("Red")[1].GetBackgroundVolumeID(): logic.GetBackgroundLayer,
        views("Red")[1].GetForegroundVolumeID(): logic.GetForegroundLayer,
    }[node.GetID()]()
    layer_logic.GetReslice().Update()
    image = layer_logic.GetReslice().GetOutput()
    width, height, _ = image.GetDimensions()
    stencil = layer_logic.GetReslice().GetStencilOutput()
    inside = stencil.IsInside(width // 2, height // 2, 0) if stencil else True
    return image.GetScalarComponentAsDouble(width // 2, height // 2, 0, 0) if inside else None


def test_what_was_scrolled_away_lets_the_interpolation_through(live, straight, views):
    live.click("liveButton")
    live.hand.answer()
    scroll(views, 20 + 1.9)
    assert drawn(views, layer(views)) is not None
    scroll(views, 28)
    assert drawn(views, layer(views)) is None


def test_zooming_in_asks_for_nothing_and_zooming_or_panning_out_only_for_what_is_on_show(live, straight, views):
    red, _ = views("Red")
    red.SetFieldOfView(12, 9, 1)
    live.click("liveButton")
    (job,) = live.hand.open
    first, last = job.box[:3], job.box[3:]
    assert first[0] in range(10, 14) and last[0] in range(26, 30) and first[1] >= 8 and last[1] <= 22
    live.hand.answer()
    before = len(live.hand.jobs)
    field_of_view = red.GetFieldOfView()
    red.SetFieldOfView(8, 6, 1)
    assert len(live.hand.jobs) == before
    red.SetFieldOfView(*field_of_view)
    red.JumpSliceByCentering(10.0, 8.0, 20.0)
    (job,) = live.hand.open
    assert job.box[0] < first[0] and job.box[3] < last[0]
    live.hand.answer()
    assert volume_of(layer(views)).dimensions[0] == 2 * (job.box[3] - job.box[0])
    assert red.GetFieldOfView() == field_of_view


def test_the_answer_for_a_part_of_the_slice_is_shown_while_the_rest_is_on_its_way(live, straight, views):
    red, _ = views("Red")
    red.SetFieldOfView(12, 9, 1)
    live.click("liveButton")
    red.SetFieldOfView(80, 60, 1)
    live.hand.open[0].answer()
    assert layer(views) is not None and len(live.hand.open) == 1
    live.hand.answer()
    assert volume_of(layer(views)).dimensions == (80, 60, 1)


def test_scrolling_back_to_what_is_shown_asks_for_nothing_more(live, straight, views):
    live.click("liveButton")
    live.hand.answer()
    scroll(views, 40)
    scroll(views, 44)
    scroll(views, 20)
    assert [job.box[2] for job in live.hand.jobs] == [5, 10]
    live.hand.answer()
    assert [job.box[2] for job in live.hand.jobs] == [5, 10]
    assert volume_of(layer(views)).ijk_to_ras[2, 3] == 20


def test_a_view_that_is_tilted_a_little_gets_the_slices_that_it_crosses_and_one_tilted_much_a_word(
    live, straight, views
):
    red, _ = views("Red")

    def tilt(degrees):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        matrix = slicer.util.arrayFromVTKMatrix(red.GetSliceToRAS())
        matrix[:3, :3] = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ np.diag([-1, 1, 1])
        red.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(matrix))
        red.UpdateMatrices()

    tilt(10)
    live.click("liveButton")
    box = live.hand.open[0].box
    assert (box[2], box[5]) == (4, 7) and box[:2] == [0, 0]
    live.hand.answer()
    assert volume_of(layer(views)).dimensions == (80, 60, 3)
    assert "slice 4 to 6" in live.ui.liveLabel.text
    tilt(60)
    assert layer(views) is None and "tilted" in live.ui.liveLabel.text
    assert live.ui.liveButton.checked
    tilt(0)
    live.hand.answer()
    assert layer(views) is not None


def test_where_slices_are_added_it_is_the_cut_in_the_view_that_was_moved_last(live, straight, views):
    live.parameters.purpose = Purpose.ISOTROPIC
    live.parameters.adapt = True
    live.click("liveButton")
    (job,) = live.hand.open
    assert "--isotropic" in job.options and "--adapt" not in job.options
    live.hand.answer()
    scroll(views, 7, "Green")
    live.hand.answer()
    # The view is 60 mm high, the volume 96.
    assert live.hand.jobs[-1].box == [0, 7, 0, 40, 8, 14]
    assert layer(views, "Green") is not None and layer(views, "Red") is layer(views, "Yellow") is None
    assert "Live in Green: cut at j = 7" in live.ui.liveLabel.text
    scroll(views, 9, "Yellow")
    live.hand.answer()
    assert live.hand.jobs[-1].box == [9, 0, 0, 10, 30, 14]
    assert layer(views, "Yellow") is not None and layer(views, "Green") is None


def test_on_a_cpu_the_fast_network_runs_unless_the_user_chose(live, straight, views):
    live.parameters.detail = 0.4
    live.click("liveButton")
    assert quality(live) == "fast" and "--detail" not in live.hand.open[0].options
    live.hand.answer()
    live.ui.qualityComboBox.widget.activated.emit(live.ui.qualityComboBox.currentIndex)
    live.hand.answer()
    assert quality(live) == "standard" and "--detail" in live.hand.jobs[-1].options
    live.ui.qualityComboBox.widget.setCurrentIndex(2)
    live.hand.answer()
    assert quality(live) == "best"


def test_a_chosen_model_and_a_gpu_count_as_they_are(live, straight, views):
    live.hand.device = "cuda:0"
    live.parameters.device = "auto"
    live.click("liveButton")
    live.hand.answer()
    assert [quality(live, n) for n in range(2)] == ["fast", "standard"] and len(live.hand.jobs) == 2
    live.hand.device = "cpu"
    live.parameters.model = "mri-x2-rrdb"
    live.hand.answer()
    assert quality(live) == "standard"


def quality(live, number=-1):
    options = live.hand.jobs[number].options
    return options[options.index("--quality") + 1]


def test_other_choices_are_taken_up_and_interpolation_is_shown_until_then(live, straight, views):
    live.click("liveButton")
    live.hand.answer()
    live.parameters.purpose = Purpose.TIMES_4
    assert layer(views) is None
    live.hand.answer()
    assert volume_of(layer(views)).dimensions == (160, 120, 1)
    slicer.util.arrayFromVolume(straight)[5] += 100
    slicer.util.arrayFromVolumeModified(straight)
    live.hand.answer()
    assert live.hand.jobs[-1].volume is not live.hand.jobs[1].volume
    assert slicer.util.arrayFromVolume(layer(views)).min() > 200


def test_another_volume_is_followed_once_a_view_shows_it(live, straight, views, contents):
    live.click("liveButton")
    live.hand.answer()
    other = slicer.util.addVolumeFromArray(
        slicer.util.arrayFromVolume(straight).copy(), ijkToRAS=np.diag([1.0, 1, 4, 1]), name="Other"
    )
    live.ui.inputSelector.setCurrentNode(other)
    assert layer(views) is None and "no slice view shows the slices of Other" in live.ui.liveLabel.text
    views("Red")[1].SetBackgroundVolumeID(other.GetID())
    live.hand.answer()
    assert layer(views) is not None
    live.click("liveButton")
    assert layer(views) is None


@pytest.mark.parametrize("end", ["remove", "clear", "leave", "stop"])
def test_it_ends_with_the_volume_the_scene_the_module_and_the_application(live, straight, views, contents, scene, end):
    before = state(views)
    live.click("liveButton")
    live.hand.answer()
    node = layer(views)
    scroll(views, 28)
    open_job = live.hand.open[0]
    if end == "remove":
        scene.RemoveNode(straight)
    elif end == "clear":
        scene.Clear(False)
    elif end == "leave":
        live.panel.setParameters(None)
    else:
        live.panel.stop()
    assert node.GetScene() is None and not live.ui.liveButton.checked
    assert not open_job.is_open
    if end in ("leave", "stop"):
        scroll(views, 20)
        assert state(views) == before
    assert not live.hand.open


def test_the_users_own_layers_come_back_and_a_blended_volume_stays_blended(live, straight, views):
    overlay = slicer.util.addVolumeFromArray(slicer.util.arrayFromVolume(straight).copy(), name="PET")
    _, composite = views("Red")
    composite.SetForegroundVolumeID(overlay.GetID())
    composite.SetForegroundOpacity(0.3)
    before = state(views)
    live.click("liveButton")
    live.hand.answer()
    assert layer(views) is not overlay and composite.GetForegroundOpacity() == 1
    live.click("liveButton")
    assert state(views) == before
    composite.SetBackgroundVolumeID(overlay.GetID())
    composite.SetForegroundVolumeID(straight.GetID())
    before = state(views)
    live.click("liveButton")
    live.hand.answer()
    assert layer(views).GetName() == "Super resolution (live)" and composite.GetForegroundOpacity() == 0.3
    live.click("liveButton")
    assert state(views) == before


def error_layer(views, name="Red"):
    """The volume in a view's layer for label maps, or None."""
    return slicer.mrmlScene.GetNodeByID(views(name)[1].GetLabelVolumeID() or "")


def blended(views):
    """What the red view shows of all its layers at its middle, by Slicer's own slice pipeline: red, green, blue."""
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetSliceNode(views("Red")[0])
    logic.SetSliceCompositeNode(views("Red")[1])
    logic.UpdatePipeline()
    logic.GetBlend().Update()
    image = logic.GetBlend().GetOutput()
    width, height, _ = image.GetDimensions()
    return [image.GetScalarComponentAsDouble(width // 2, height // 2, 0, colour) for colour in range(3)]


def test_the_expected_error_lies_over_the_live_view_where_it_is_wanted_and_goes_without_a_trace(
    live, straight, views, contents
):
    reds = slicer.vtkMRMLColorTableNode()
    reds.SetTypeToRed()
    reds.SetSingletonTag("FileInferno.txt")
    slicer.mrmlScene.AddNode(reds)
    before = contents(), state(views), observers(views, straight)
    live.click("liveButton")
    live.hand.answer()
    assert error_layer(views) is None and live.hand.jobs[-1].companions == ()
    alone = blended(views)
    live.click("errorCheckBox")
    assert layer(views) is None
    live.hand.answer()
    assert live.hand.jobs[-1].companions == (Companion.ERROR,)
    error = error_layer(views)
    assert error.GetImageData().GetDimensions() == (80, 60, 1)
    assert (error.GetHideFromEditors(), error.GetSaveWithScene()) == (1, 0)
    assert error.GetDisplayNode().GetApplyThreshold() and layer(views) is not None
    assert error.GetDisplayNode().GetColorNodeID() == Companion.ERROR.colorNodeID == reds.GetID()
    red, green, _ = blended(views)
    assert red > alone[0] > 1.5 * green
    assert "the expected error: 12.3 on average" in live.ui.liveLabel.text
    window = error.GetDisplayNode().GetWindow()
    scroll(views, 40)
    live.hand.answer()
    assert error_layer(views) is error and volume_of(error).ijk_to_ras[2, 3] == 40
    assert error.GetDisplayNode().GetWindow() == window
    live.click("errorCheckBox")
    live.hand.answer()
    assert error_layer(views) is None and layer(views) is not None
    live.click("errorCheckBox")
    live.hand.answer()
    live.click("liveButton")
    assert error.GetScene() is None
    scroll(views, 20)
    assert (contents(), state(views), observers(views, straight)) == before


def test_a_label_map_comes_back_and_one_that_the_user_chooses_meanwhile_stays(live, straight, views):
    chosen = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name) for name in ("Tumour", "Nerve")]
    _, composite = views("Red")
    composite.SetLabelVolumeID(chosen[0].GetID())
    composite.SetLabelOpacity(0.3)
    before = state(views)
    live.click("errorCheckBox")
    live.click("liveButton")
    live.hand.answer()
    assert error_layer(views) is not chosen[0] and composite.GetLabelOpacity() == 0.6
    live.click("liveButton")
    assert state(views) == before
    live.click("liveButton")
    live.hand.answer()
    composite.SetLabelVolumeID(chosen[1].GetID())
    scroll(views, 40)
    live.hand.answer()
    live.click("liveButton")
    assert error_layer(views) is chosen[1]


def test_a_foreground_that_the_user_chooses_meanwhile_stays_and_ends_it(live, straight, views):
    overlay = slicer.util.addVolumeFromArray(slicer.util.arrayFromVolume(straight).copy(), name="PET")
    live.click("liveButton")
    live.hand.answer()
    views("Red")[1].SetForegroundVolumeID(overlay.GetID())
    assert layer(views) is overlay and not live.ui.liveButton.checked


def test_window_and_level_are_one_for_the_volume_and_its_live_view(live, straight, views):
    live.click("liveButton")
    live.hand.answer()
    mine, theirs = layer(views).GetDisplayNode(), straight.GetDisplayNode()
    theirs.SetAutoWindowLevel(False)
    theirs.SetWindowLevel(300, 120)
    assert (mine.GetWindow(), mine.GetLevel()) == (300, 120)
    mine.SetWindowLevel(200, 90)
    assert (theirs.GetWindow(), theirs.GetLevel()) == (200, 90)


def test_a_failure_costs_one_answer_and_several_end_it(live, straight, views):
    live.click("liveButton")
    live.hand.open[0].fail("It crashed.")
    assert live.ui.liveLabel.text == "It crashed." and live.ui.liveButton.checked and not live.hand.open
    scroll(views, 24)
    live.hand.answer()
    assert layer(views) is not None
    for slice_ in (8, 9, 10):
        scroll(views, 4 * slice_)
        live.hand.open[0].fail()
    assert not live.ui.liveButton.checked and layer(views) is None
    assert live.ui.liveLabel.text == "It crashed. The live view was switched off."


def test_missing_packages_are_asked_for_first(live, straight, views):
    live.install_error = "The packages were not installed."
    live.click("liveButton")
    assert not live.ui.liveButton.checked and not live.hand.jobs
    assert live.status == "The packages were not installed."
    live.install_error = None
    live.click("liveButton")
    assert live.ui.liveButton.checked and live.status == ""


def test_choices_that_cannot_be_served_pause_it(live, straight, views):
    live.click("liveButton")
    live.hand.answer()
    live.parameters.outputVolume = straight
    assert layer(views) is None and live.ui.liveButton.checked
    assert live.ui.liveLabel.text.startswith("The output is the input volume")
    live.parameters.outputVolume = None
    live.hand.answer()
    assert layer(views) is not None


def test_it_goes_on_during_a_run_and_makes_room_for_the_result(live, straight, views):
    live.parameters.quality = live.parameters.quality.FAST
    live.click("liveButton")
    live.hand.answer()
    live.click("upscaleButton")
    scroll(views, 24)
    live.hand.answer()
    assert live.running and volume_of(layer(views)).ijk_to_ras[2, 3] == 24
    live.serve()
    result = slicer.util.getNode("Head SR x2")
    assert views("Red")[1].GetBackgroundVolumeID() == result.GetID()
    assert layer(views) is None and not live.ui.liveButton.checked


def test_it_and_the_comparison_take_turns(live, straight, views, nearest):
    from SuperResolutionWidgets.Scene.NodeUpscaler import NodeUpscaler

    result = NodeUpscaler(nearest).upscale(straight, 2, show=False)
    live.panel.refresh()
    before = state(views)
    live.click("liveButton")
    live.hand.answer()
    live.click("sideBySideButton")
    assert not live.ui.liveButton.checked and layer(views) is None
    assert views("Yellow")[1].GetBackgroundVolumeID() == result.GetID()
    live.click("liveButton")
    live.hand.answer()
    assert layer(views) is not None
    live.click("sideBySideButton")
    assert layer(views) is None and state(views) == before


def test_it_is_offered_only_where_there_is_something_to_upscale(live, straight, views):
    assert live.ui.liveButton.enabled
    live.parameters.inputVolume = None
    assert not live.ui.liveButton.enabled
