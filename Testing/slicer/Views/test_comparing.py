"""The slice views: what the user looks at, previews and comparisons, and that they come back as they were."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402
from SuperResolutionWidgets.Scene.NodeUpscaler import NodeUpscaler  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode  # noqa: E402
from SuperResolutionWidgets.Views.ComparisonView import ComparisonView  # noqa: E402
from SuperResolutionWidgets.Views.CurrentSlice import CurrentSlice  # noqa: E402

VIEWS = ("Red", "Yellow", "Green")


def look_at(sliceNode, point):
    """Move a view along its normal onto a point, R, A, S in mm."""
    sliceNode.JumpSliceByOffsetting(*map(float, point))


def state(views):
    """All that a comparison may change and must bring back."""
    found = [slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()]
    for sliceNode, composite in map(views, VIEWS):
        matrix = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS()).round(9).tolist()
        found += [matrix, sliceNode.GetFieldOfView(), sliceNode.GetXYZOrigin()]
        found += [composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()]
        found += [composite.GetForegroundOpacity(), composite.GetLinkedControl(), composite.GetHotLinkedControl()]
    return found


@pytest.fixture
def straight(scene):
    """A volume node along R, A, S: 10 x 12 x 6 voxels of 1 x 1 x 4 mm, its first voxel at the origin."""
    voxels = np.arange(6 * 12 * 10, dtype=np.int16).reshape(6, 12, 10)
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([1.0, 1, 4, 1]), name="Straight")


def current(node, box=None):
    """Return the index of the current slice, and the view that shows it."""
    cut = CurrentSlice().find(node, volumeFromNode(node), 2, box)
    return cut.index, cut.sliceNode


# ---------------------------------------------------------------- the current slice


def test_the_current_slice_is_the_one_in_the_view_that_cuts_across_the_slices(straight, views):
    red, _ = views("Red")
    look_at(red, (5, 5, 17))
    look_at(views("Yellow")[0], (2, 2, 2))
    assert current(straight) == (4, red)


def test_a_view_that_shows_the_volume_is_asked_first(straight, views):
    green, shown = views("Green")
    green.GetSliceToRAS().DeepCopy(views("Red")[0].GetSliceToRAS())
    look_at(views("Red")[0], (0, 0, 4))
    look_at(green, (0, 0, 12))
    assert current(straight) == (1, views("Red")[0])
    shown.SetBackgroundVolumeID(straight.GetID())
    assert current(straight) == (3, green)


def test_without_a_view_on_the_volume_it_is_the_middle_slice(straight, views):
    look_at(views("Red")[0], (0, 0, 100))
    assert current(straight) == (3, None)


def test_without_views_it_is_the_middle_slice(straight):
    assert current(straight) == (3, None)


def test_the_middle_of_a_region_is_meant_where_the_view_is_outside_it(straight, views):
    look_at(views("Red")[0], (0, 0, 4))
    assert current(straight, ((0, 0, 3), (10, 10, 6))) == (4, None)


def test_the_transform_of_the_volume_counts(straight, views, scene):
    import vtk

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "T")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 100.0)
    transform.SetMatrixTransformToParent(matrix)
    straight.SetAndObserveTransformNodeID(transform.GetID())
    look_at(views("Red")[0], (0, 0, 108.5))
    assert current(straight)[0] == 2


def test_sagittal_slices_are_found_in_the_sagittal_view(scene, views):
    sagittal = np.array([[0, 0, 3, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    node = slicer.util.addVolumeFromArray(np.zeros((6, 8, 8), np.int16), ijkToRAS=sagittal, name="Sagittal")
    look_at(views("Yellow")[0], (9, 0, 0))
    assert current(node) == (3, views("Yellow")[0])


def test_the_whole_slice_is_meant_or_what_the_region_holds_of_it(straight, views):
    look_at(views("Red")[0], (0, 0, 8))
    finder, volume = CurrentSlice(), volumeFromNode(straight)
    assert finder.find(straight, volume, 2).first == (0, 0, 2)
    assert finder.find(straight, volume, 2).last == (10, 12, 3)
    cut = finder.find(straight, volume, 2, ((2, 3, 0), (7, 8, 6)))
    assert (cut.first, cut.last) == ((2, 3, 2), (7, 8, 3))


def test_a_cut_through_the_slices_is_the_one_in_a_view_along_them(straight, views):
    look_at(views("Red")[0], (0, 0, 8))
    look_at(views("Yellow")[0], (50, 0, 0))
    look_at(views("Green")[0], (0, 7, 0))
    cut = CurrentSlice().find(straight, volumeFromNode(straight), 2, throughSlices=True)
    assert (cut.axis, cut.first, cut.last) == (1, (0, 7, 0), (10, 8, 6))
    assert cut.sliceNode is views("Green")[0]
    look_at(views("Yellow")[0], (3, 0, 0))
    assert CurrentSlice().find(straight, volumeFromNode(straight), 2, throughSlices=True).axis == 0


def test_without_such_a_view_it_is_the_middle_one(straight):
    cut = CurrentSlice().find(straight, volumeFromNode(straight), 2, throughSlices=True)
    assert (cut.axis, cut.index, cut.sliceNode) == (1, 6, None)


# ---------------------------------------------------------------- side by side


@pytest.fixture
def pair(scene, straight):
    finer = slicer.util.arrayFromVolume(straight).repeat(2, axis=1).repeat(2, axis=2)
    return straight, slicer.util.addVolumeFromArray(finer, ijkToRAS=np.diag([0.5, 0.5, 4, 1]), name="Fine")


def test_side_by_side_shows_both_at_the_same_place_linked_with_the_same_field_of_view(pair, views):
    look_at(views("Red")[0], (3, 2, 9))
    views("Red")[0].SetFieldOfView(40, 30, 1)
    views("Yellow")[0].SetDimensions(200, 300, 1)
    assert ComparisonView().sideBySide(*pair)
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutSideBySideView
    (red, left), (yellow, right) = views("Red"), views("Yellow")
    assert (left.GetBackgroundVolumeID(), right.GetBackgroundVolumeID()) == tuple(node.GetID() for node in pair)
    matrices = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in (red, yellow)]
    np.testing.assert_allclose(*matrices)
    assert red.GetFieldOfView()[1] == yellow.GetFieldOfView()[1] == 30
    assert yellow.GetFieldOfView()[0] == 20
    assert left.GetLinkedControl() and right.GetLinkedControl()


def test_afterwards_the_views_are_as_they_were(pair, views):
    views("Green")[1].SetBackgroundVolumeID(pair[0].GetID())
    views("Red")[1].SetForegroundVolumeID(pair[1].GetID())
    look_at(views("Yellow")[0], (7, 0, 0))
    before = state(views)
    view = ComparisonView()
    view.sideBySide(*pair)
    assert view.isSideBySide and state(views) != before
    view.restore()
    assert not view.isSideBySide and state(views) == before


def test_a_second_comparison_still_goes_back_to_the_first_state(pair, views):
    before = state(views)
    view = ComparisonView()
    view.sideBySide(*pair)
    view.sideBySide(*reversed(pair))
    view.restore()
    assert state(views) == before


def test_a_layout_that_the_user_chose_meanwhile_stays(pair, views):
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    view = ComparisonView()
    view.sideBySide(*pair)
    layout.SetViewArrangement(layout.SlicerLayoutConventionalView)
    view.restore()
    assert layout.GetViewArrangement() == layout.SlicerLayoutConventionalView


def test_a_volume_that_was_removed_meanwhile_is_not_shown_again(pair, views, scene):
    views("Red")[1].SetBackgroundVolumeID(pair[0].GetID())
    view = ComparisonView()
    view.sideBySide(*pair)
    scene.RemoveNode(pair[0])
    view.restore()
    assert views("Red")[1].GetBackgroundVolumeID() is None


@pytest.mark.parametrize("across", [0, 1, 2])
def test_the_views_are_turned_across_an_axis_and_onto_the_middle(pair, views, across):
    ComparisonView().sideBySide(*pair, across=across)
    for name in VIEWS[:2]:
        matrix = slicer.util.arrayFromVTKMatrix(views(name)[0].GetSliceToRAS())
        assert abs(matrix[across, 2]) == pytest.approx(1)
        assert abs(np.linalg.det(matrix[:3, :3])) == pytest.approx(1)
        np.testing.assert_allclose(matrix[:3, 3], (4.5, 5.5, 10), atol=0.5)


def test_fading_shows_one_over_the_other_in_all_views(pair, views):
    ComparisonView().fade(*pair, 0.25)
    for _, composite in map(views, VIEWS):
        assert composite.GetBackgroundVolumeID() == pair[0].GetID()
        assert composite.GetForegroundVolumeID() == pair[1].GetID()
        assert composite.GetForegroundOpacity() == 0.25


def test_a_scene_without_views_cannot_compare(pair):
    assert not ComparisonView().sideBySide(*pair)


# ---------------------------------------------------------------- the preview, in the panel


def preview(ready):
    ready.run("previewButton")


def test_the_preview_shows_the_current_slice_beside_its_interpolation(ready, phantom, views):
    centre = phantom.GetImageData().GetCenter()
    matrix = slicer.util.arrayFromVTKMatrix(slicer.vtkMRMLSliceNode().GetSliceToRAS())
    ijk_to_ras = volumeFromNode(phantom).ijk_to_ras
    matrix = ijk_to_ras @ np.array([centre[0], centre[1], 4, 1])
    red, _ = views("Red")
    look_at(red, matrix[:3])
    preview(ready)
    index = current(phantom)[0]
    assert ready.arguments[-4:-2] == ["--box", f"0,0,{index},24,20,{index + 1}"]
    assert ready.status.startswith(f"Slice {index}: interpolated on the left")
    left, right = (slicer.mrmlScene.GetNodeByID(views(name)[1].GetBackgroundVolumeID()) for name in VIEWS[:2])
    assert (left.GetName(), right.GetName()) == ("Interpolated (B-spline)", "Super resolution (preview)")
    for node in (left, right):
        assert node.GetImageData().GetDimensions() == (48, 40, 1)
        assert (node.GetHideFromEditors(), node.GetSaveWithScene()) == (1, 0)
        assert node.GetDisplayNode().GetWindow() == phantom.GetDisplayNode().GetWindow()
    fine, interpolated = slicer.util.arrayFromVolume(right), slicer.util.arrayFromVolume(left)
    assert 0 < np.abs(fine - interpolated).mean() < 0.1 * fine.mean()
    assert not ready.leftovers
    # The phantom is oblique: the views are turned into the plane of the slice, onto it.
    shown = volumeFromNode(right)
    for name in VIEWS[:2]:
        plane = slicer.util.arrayFromVTKMatrix(views(name)[0].GetSliceToRAS())
        assert abs(plane[:3, 2] @ shown.ijk_to_ras[:3, 2] / shown.spacing[2]) == pytest.approx(1)
        assert abs((np.linalg.inv(shown.ijk_to_ras) @ plane[:, 3])[2]) < 0.01


def test_a_preview_shows_the_expected_error_over_the_right_one_where_it_is_wanted(ready, views, contents):
    before = contents(), state(views)
    ready.click("errorCheckBox")
    preview(ready)
    left, right = (views(name)[1].GetForegroundVolumeID() for name in VIEWS[:2])
    error = slicer.mrmlScene.GetNodeByID(right)
    assert left is None and error.GetName() == "Expected error (preview)" and error.GetHideFromEditors()
    assert error.GetDisplayNode().GetApplyThreshold()
    assert error.GetImageData().GetDimensions() == (48, 40, 1)
    ready.click("previewButton")
    assert (contents(), state(views)) == before


def test_a_preview_of_new_slices_is_a_cut_through_them(ready, phantom, views):
    from panel_bench import SLOW_WARM

    ready.parameters.purpose = Purpose.ISOTROPIC
    ready.parameters.adapt = True
    ready.command = SLOW_WARM
    ready.run("previewButton", until=lambda: "1 of 4" in ready.status)
    assert "--isotropic" in ready.arguments
    assert "--adapt" in ready.options and "--adapt" not in ready.arguments
    cut = CurrentSlice().find(phantom, volumeFromNode(phantom), 2, throughSlices=True)
    assert cut.axis in (0, 1)
    assert ready.arguments[-3] == ",".join(map(str, (*cut.first, *cut.last)))
    ready.panel.stop()


def test_a_preview_is_not_saved_and_closing_it_leaves_scene_and_views_as_they_were(
    ready, phantom, views, contents, tmp_path
):
    before = contents(), state(views)
    preview(ready)
    assert ready.ui.previewButton.text == "Close &preview"
    assert "interpolated on the left" in ready.status
    assert (contents(), state(views)) != before
    slicer.mrmlScene.Commit(str(tmp_path / "scene.mrml"))
    saved = (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert "Phantom" in saved and "preview" not in saved and "Interpolated" not in saved
    ready.click("previewButton")
    assert (contents(), state(views)) == before
    assert ready.ui.previewButton.text == "&Preview slice" and "interpolated on the left" not in ready.status


@pytest.mark.parametrize("end", ["stop", "leave"])
def test_leaving_closes_the_preview(ready, phantom, views, contents, end):
    before = contents(), state(views)
    preview(ready)
    ready.panel.stop() if end == "stop" else ready.panel.setParameters(None)
    assert (contents(), state(views)) == before


def test_a_preview_that_ends_while_the_user_is_elsewhere_is_not_shown(ready, phantom, views, contents):
    before = contents(), state(views)
    ready.click("previewButton")
    ready.panel.setParameters(None)
    ready.serve()
    assert (contents(), state(views)) == before


def test_a_result_takes_the_place_of_the_preview(ready, phantom, views):
    before = state(views)
    preview(ready)
    ready.run()
    assert slicer.mrmlScene.GetFirstNodeByName("Super resolution (preview)") is None
    result = slicer.util.getNode("Phantom SR x2")
    assert [views(name)[1].GetBackgroundVolumeID() for name in VIEWS] == [result.GetID()] * 3
    assert state(views)[0] == before[0]


def test_cancelling_a_preview_leaves_nothing(ready, phantom, views, contents):
    from panel_bench import SLOW_WARM

    before = contents(), state(views)
    ready.command = SLOW_WARM
    ready.run("previewButton", until=lambda: "1 of 4" in ready.status)
    ready.click("cancelButton")
    assert (contents(), state(views)) == before
    ready.panel.stop()
    assert not ready.leftovers


# ---------------------------------------------------------------- a result that arrives


def shown(views):
    """The names of the volumes in the background of the three views."""
    nodes = [slicer.mrmlScene.GetNodeByID(views(name)[1].GetBackgroundVolumeID() or "") for name in VIEWS]
    return [node and node.GetName() for node in nodes]


@pytest.fixture
def looking(ready, phantom, straight, views, layout_manager):
    """The open panel, a user who has zoomed and scrolled in views of two volumes, and a quick worker."""
    from panel_bench import QUICK

    for name, volume in zip(VIEWS, (phantom, straight, phantom)):
        views(name)[1].SetBackgroundVolumeID(volume.GetID())
        views(name)[0].SetFieldOfView(12, 9, 1)
        views(name)[0].SetXYZOrigin(1, 2, 0)
        look_at(views(name)[0], (31, -21, 16))
    ready.command = QUICK
    return ready


def places(views):
    """Where the three views are, and how far they are zoomed."""
    nodes = [views(name)[0] for name in VIEWS]
    matrices = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).round(9).tolist() for node in nodes]
    return matrices, [(node.GetFieldOfView(), node.GetXYZOrigin()) for node in nodes]


def test_a_result_takes_the_place_of_its_input_where_that_is_on_show_and_no_view_moves(looking, views):
    before = places(views)
    looking.run()
    assert shown(views) == ["Phantom SR x2", "Straight", "Phantom SR x2"]
    assert places(views) == before


def test_a_result_takes_the_place_of_an_earlier_one_where_the_input_is_not_on_show(looking, views):
    looking.run()
    before = places(views)
    looking.run()
    assert shown(views) == ["Phantom SR x2_1", "Straight", "Phantom SR x2_1"]
    assert places(views) == before


def test_the_first_result_in_empty_views_is_fitted(looking, views):
    for name in VIEWS:
        views(name)[1].SetBackgroundVolumeID(None)
    before = places(views)
    looking.run()
    assert shown(views) == ["Phantom SR x2"] * 3
    assert places(views) != before


def test_a_result_that_comes_while_the_user_is_in_another_module_changes_no_view(looking, views):
    looking.ui.fadeSlider.setValue(40)
    before = state(views)
    looking.click("upscaleButton")
    looking.panel.setParameters(None)
    looking.serve()
    assert slicer.util.getNode("Phantom SR x2") is not None
    assert state(views) == before


def test_the_result_of_a_volume_that_is_not_on_show_changes_no_view(looking, straight, views):
    for name in VIEWS:
        views(name)[1].SetBackgroundVolumeID(straight.GetID())
    before = state(views)
    looking.run()
    assert state(views) == before


def test_the_result_of_another_volume_does_not_end_a_comparison(looking, straight, views, make):
    make(straight)
    looking.click("upscaleButton")
    looking.parameters.inputVolume = straight
    looking.click("sideBySideButton")
    before = state(views)
    looking.serve()
    assert slicer.util.getNode("Phantom SR x2") is not None
    assert looking.ui.sideBySideButton.checked and state(views) == before


# ---------------------------------------------------------------- the comparison, in the panel


@pytest.fixture
def make(ready, nearest):
    """A function that places a result of a node, as a run does."""

    def make_result(node):
        result = NodeUpscaler(nearest).upscale(node, 2)
        ready.panel.refresh()
        return result

    return make_result


def test_without_a_result_there_is_nothing_to_compare(ready, views):
    assert not ready.ui.compareCollapsibleButton.enabled


def test_the_result_is_compared_with_its_input_and_what_came_with_it(ready, phantom, views):
    ready.click("addedCheckBox")
    ready.run()
    combo = ready.ui.compareComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == ["Input", "What was added"]
    ready.click("sideBySideButton")
    result, added = slicer.util.getNode("Phantom SR x2"), slicer.util.getNode("Phantom SR x2 added")
    assert views("Red")[1].GetBackgroundVolumeID() == phantom.GetID()
    assert views("Yellow")[1].GetBackgroundVolumeID() == result.GetID()
    combo.setCurrentIndex(1)
    assert views("Red")[1].GetBackgroundVolumeID() == added.GetID()
    ready.click("sideBySideButton")
    assert not ready.ui.sideBySideButton.checked
    assert views("Red")[1].GetBackgroundVolumeID() == result.GetID()


def test_fading_ends_side_by_side(ready, phantom, views, make):
    make(phantom)
    ready.click("sideBySideButton")
    ready.ui.fadeSlider.setValue(40)
    assert not ready.ui.sideBySideButton.checked
    assert views("Green")[1].GetForegroundOpacity() == 0.4
    assert views("Green")[1].GetBackgroundVolumeID() == phantom.GetID()


def test_while_fading_another_choice_is_shown_at_once(ready, phantom, views):
    from panel_bench import QUICK

    ready.command = QUICK
    ready.click("addedCheckBox")
    ready.run()
    ready.ui.fadeSlider.setValue(40)
    ready.ui.compareComboBox.setCurrentIndex(1)
    added = slicer.util.getNode("Phantom SR x2 added")
    assert [views(name)[1].GetBackgroundVolumeID() for name in VIEWS] == [added.GetID()] * 3
    assert views("Green")[1].GetForegroundOpacity() == 0.4


def test_after_fading_the_views_show_what_they_did(ready, phantom, straight, views, make):
    make(phantom)
    for name in VIEWS:
        views(name)[1].SetBackgroundVolumeID(straight.GetID())
        views(name)[1].SetForegroundVolumeID(phantom.GetID())
        views(name)[1].SetForegroundOpacity(0.1)
    before = state(views)
    for percent in (40, 60):
        ready.ui.fadeSlider.setValue(percent)
    ready.click("sideBySideButton")
    assert ready.ui.fadeSlider.value == 100
    ready.click("sideBySideButton")
    assert state(views) == before


@pytest.mark.parametrize("button", ["sideBySideButton", "previewButton"])
def test_the_layout_menu_ends_side_by_side_and_its_layout_stays(ready, phantom, views, make, contents, button):
    make(phantom)
    before, nodes = state(views), contents()
    preview(ready) if button == "previewButton" else ready.click(button)
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutConventionalView)
    assert not ready.ui.sideBySideButton.checked
    assert ready.ui.previewButton.text == "&Preview slice"
    assert contents() == nodes
    assert state(views) == [layout.SlicerLayoutConventionalView, *before[1:]]
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    assert state(views) == before


def test_the_button_says_that_it_is_pressed(ready, phantom, views, make):
    make(phantom)
    assert ready.ui.sideBySideButton.text == "Side &by side"
    ready.click("sideBySideButton")
    assert ready.ui.sideBySideButton.text == "Leave side &by side"


def test_a_new_result_ends_the_comparison(ready, phantom, views, make):
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    make(phantom)
    ready.ui.fadeSlider.setValue(40)
    ready.run()
    assert ready.ui.fadeSlider.value == 100
    assert views("Red")[1].GetForegroundVolumeID() is None
    ready.click("sideBySideButton")
    ready.run()
    assert not ready.ui.sideBySideButton.checked
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    newest = slicer.util.getNode("Phantom SR x2_2")
    assert [views(name)[1].GetBackgroundVolumeID() for name in VIEWS] == [newest.GetID()] * 3


def test_the_preview_and_the_comparison_take_turns(ready, phantom, views, make):
    make(phantom)
    before = state(views)
    ready.click("sideBySideButton")
    preview(ready)
    assert not ready.ui.sideBySideButton.checked
    ready.click("sideBySideButton")
    assert ready.ui.sideBySideButton.checked
    assert ready.ui.previewButton.text == "&Preview slice"
    assert views("Red")[1].GetBackgroundVolumeID() == phantom.GetID()
    ready.click("sideBySideButton")
    assert state(views) == before


def test_each_input_is_compared_with_its_own_newest_result(ready, phantom, straight, views, make):
    make(phantom)
    newest = make(phantom)
    of_another = make(straight)
    ready.parameters.inputVolume = straight
    assert ready.ui.resultComboBox.currentText == of_another.GetName()
    ready.parameters.inputVolume = phantom
    ready.click("sideBySideButton")
    assert views("Yellow")[1].GetBackgroundVolumeID() == newest.GetID()


def test_any_result_of_the_scene_can_be_looked_at_and_held_against_another(ready, phantom, straight, views, make):
    first, newest, other = make(phantom), make(phantom), make(straight)
    combo = ready.ui.resultComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == [n.GetName() for n in (first, newest, other)]
    assert combo.currentText == newest.GetName()
    ready.click("sideBySideButton")
    combo.setCurrentIndex(0)
    assert shown(views)[:2] == ["Phantom", first.GetName()]
    combo = ready.ui.compareComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == ["Input", newest.GetName(), other.GetName()]
    combo.setCurrentIndex(1)
    assert shown(views)[:2] == [newest.GetName(), first.GetName()]
    assert ready.ui.fadeLeastLabel.text == newest.GetName()
    third = make(phantom)
    assert ready.ui.resultComboBox.currentText == third.GetName()


@pytest.mark.parametrize("way", ["side by side", "fading"])
def test_window_and_level_are_shared_while_volumes_are_compared(ready, phantom, views, make, way):
    displays = [node.GetDisplayNode() for node in (phantom, make(phantom))]
    ready.click("sideBySideButton") if way == "side by side" else ready.ui.fadeSlider.setValue(40)
    for changed, window in zip(displays, (321, 123)):
        changed.SetAutoWindowLevel(False)
        changed.SetWindowLevel(window, 50)
        assert [(display.GetWindow(), display.GetLevel()) for display in displays] == [(window, 50)] * 2
    ready.panel.stop()
    displays[0].SetWindowLevel(11, 5)
    assert displays[1].GetWindow() == 123


def test_what_was_added_keeps_a_window_of_its_own(ready, phantom, views):
    from panel_bench import QUICK

    ready.command = QUICK
    ready.click("addedCheckBox")
    ready.run()
    ready.click("sideBySideButton")
    ready.ui.compareComboBox.setCurrentIndex(1)
    added = slicer.util.getNode("Phantom SR x2 added").GetDisplayNode()
    before = added.GetWindow(), added.GetLevel()
    slicer.util.getNode("Phantom SR x2").GetDisplayNode().SetWindowLevel(12, 3)
    assert (added.GetWindow(), added.GetLevel()) == before


def test_a_result_that_was_removed_cannot_be_compared(ready, phantom, views, scene, make):
    scene.RemoveNode(make(phantom))
    before = state(views)
    ready.click("sideBySideButton")
    assert state(views) == before
    assert not ready.ui.compareCollapsibleButton.enabled


def test_the_purpose_names_the_result(ready):
    assert [purpose.suffix(0.5) for purpose in Purpose] == ["x2", "x4", "isotropic", "0.5 mm", "fused"]
