"""The figures: in which proportions, and whether everything on them can be read."""

import itertools
import sys

import numpy as np
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.evaluation.before_after import before_after
from SuperResolutionLib.evaluation.evaluate import evaluate
from SuperResolutionLib.evaluation.examples_figure import evaluation_figure
from SuperResolutionLib.evaluation.slice_view import SliceView
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.geometry.volume import Volume


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of files."""
    kept = []
    for module in ("before_after", "examples_figure"):
        monkeypatch.setattr(
            f"SuperResolutionLib.evaluation.{module}.save_figure", lambda figure, path: kept.append(figure)
        )
    return kept


def texts_of(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    texts = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)]
    return [text for text in texts if text.get_text()]


def assert_readable(figure):
    texts = texts_of(figure)
    boxes = [text.get_window_extent() for text in texts]
    page = figure.bbox
    for text, box in zip(texts, boxes):
        assert box.x0 >= page.x0 and box.x1 <= page.x1, text
        assert box.y0 >= page.y0 and box.y1 <= page.y1, text
    for (first, one), (second, other) in itertools.combinations(zip(texts, boxes), 2):
        assert not one.overlaps(other), (first, second)


def pictures_of(figure):
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize(
    ("dimensions", "factors"),
    [((40, 44, 5), (4, 4, 1)), ((40, 6, 44), (4, 1, 4)), ((30, 80, 1), (2, 2, 1)), ((24, 20, 9), (1, 1, 4)),
     ((20, 22, 24), (2, 2, 2)), ((60, 16, 3), (4, 4, 1))],
)  # fmt: skip
def test_before_and_after_is_readable_and_in_proportion_for_any_shape(drawn, make_phantom, dimensions, factors):
    coarse = make_phantom(dimensions[::-1], np.int16, np.diag([0.5, 0.8, 2, 1]))
    before_after(coarse, interpolate(coarse, factors), interpolate(coarse, factors, "lanczos"), "unused.png")
    (figure,) = drawn
    assert_readable(figure)
    panels = pictures_of(figure)
    assert len(panels) == 8
    across = max(axis for axis in range(3) if factors[axis] == min(factors))
    view = SliceView(coarse, across)
    for axes in panels:
        assert axes.get_aspect() in (1, "equal")
        width, height = view.size(coarse)
        np.testing.assert_allclose(axes.images[0].get_extent(), (0, width, height, 0))
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert 0 <= left < right <= width + 1e-6
        assert 0 <= top < bottom <= height + 1e-6


def test_what_was_added_is_ours_minus_the_interpolation_on_a_symmetric_scale(drawn, make_phantom):
    coarse = make_phantom((3, 40, 40))
    interpolated = interpolate(coarse, (2, 2, 1))
    change = np.random.default_rng(0).normal(5, 10, interpolated.voxels.shape).astype(np.float32)
    before_after(coarse, interpolated, Volume(interpolated.voxels + change, interpolated.ijk_to_ras), "x.png", 2)
    added = pictures_of(drawn[0])[3].images[0]
    view = SliceView(coarse, 2)
    np.testing.assert_allclose(added.get_array(), view.image(Volume(change, interpolated.ijk_to_ras), 2), atol=1e-3)
    low, high = added.get_clim()
    assert low == -high
    assert 15 < high < 60


def test_an_expected_error_stands_in_place_of_what_was_added_on_a_scale_from_zero(drawn, make_phantom):
    coarse = make_phantom((3, 40, 40))
    fine = interpolate(coarse, (2, 2, 1))
    error = Volume(np.random.default_rng(0).uniform(5, 9, fine.voxels.shape).astype(np.float32), fine.ijk_to_ras)
    before_after(coarse, fine, fine, "x.png", 2, error=error)
    assert_readable(drawn[0])
    last = pictures_of(drawn[0])[3]
    assert last.get_title() == "Expected error (1 SD)"
    np.testing.assert_allclose(last.images[0].get_array(), SliceView(coarse, 2).image(error, 2), atol=1e-3)
    assert last.images[0].get_clim()[0] == 0 and 8 < last.images[0].get_clim()[1] <= 9


def test_identical_and_constant_volumes_can_be_drawn(drawn):
    flat = Volume(np.full((1, 20, 24), 7, np.int16), np.eye(4))
    fine = interpolate(flat, (2, 2, 1))
    before_after(flat, fine, fine, "unused.png")
    assert_readable(drawn[0])


def test_before_and_after_is_a_whole_png_and_nothing_else_in_the_folder(tmp_path, phantom):
    fine = interpolate(phantom, (2, 2, 1))
    before_after(phantom, fine, fine, tmp_path / "picture.png")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_slice_that_is_not_there_and_a_folder_that_is_not_there_are_refused(tmp_path, phantom):
    fine = interpolate(phantom, (2, 2, 1))
    for index in (-1, phantom.dimensions[2]):
        with pytest.raises(InputError, match=f"no slice {index}; give one from 0 to {phantom.dimensions[2] - 1}"):
            before_after(phantom, fine, fine, tmp_path / "picture.png", index)
    with pytest.raises(InputError, match="Cannot write into the folder"):
        before_after(phantom, fine, fine, tmp_path / "missing" / "picture.png")


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch, tmp_path, phantom):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="pip install matplotlib"):
        before_after(phantom, interpolate(phantom, (2, 2, 1)), interpolate(phantom, (2, 2, 1)), tmp_path / "a.png")


@pytest.mark.parametrize(("count", "with_ours"), [(1, False), (2, True)])
def test_an_evaluation_is_drawn_with_a_row_per_volume_and_its_psnrs(drawn, tmp_path, make_phantom, count, with_ours):
    paths = [tmp_path / f"t2_a-long-name-of-a-scan_subject0{n}.nrrd" for n in range(count)]
    for path in paths:
        write_volume(make_phantom((2, 48, 64)), path)
    ours = (lambda stack, factors, step: interpolate(stack, factors)) if with_ours else None
    examples = evaluate(paths, 4, ["kspace"], ours).examples
    evaluation_figure(examples, "unused.png")
    (figure,) = drawn
    assert_readable(figure)
    assert len(pictures_of(figure)) == count * (7 if with_ours else 5)
    titles = [text.get_text() for text in texts_of(figure)]
    assert titles.count(f"B-spline\n{examples[0].psnr['bspline']:.2f} dB") == count
    assert sum(title.startswith("SuperResolution\n") for title in titles) == (count if with_ours else 0)


def test_no_examples_make_no_figure():
    with pytest.raises(InputError, match="nothing to draw"):
        evaluation_figure([], "unused.png")
