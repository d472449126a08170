"""The live view in the panel: the real .ui, scene and views, and the warm worker, or one that answers at will."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402
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
        self.volume, self.options, self.is_open = volume, options, True
        self.box = [int(index) for index in options[options.index("--box") + 1].split(",")]

    def cancel(self):
        self.is_open = False

    def answer(self):
        part = self.volume.cropped(self.box[:3], self.box[3:])
        factor = int(self.options[self.options.index("--factor") + 1]) if "--factor" in self.options else 1
        voxels = part.voxels.repeat(factor, axis=1).repeat(factor, axis=2)
        fine = Volume(voxels, refined_matrix(part.ijk_to_ras, (factor, factor, 1)))
        self.finish(UpscaleOutcome(volume=fine, report={"device": self.hand.device, "seconds": 0.1, "warnings": []}))

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
