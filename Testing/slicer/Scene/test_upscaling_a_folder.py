"""``SuperResolutionLogic.upscaleFolder`` without its Slicer shell."""

import sys

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
from SuperResolutionWidgets.Scene.EngineCall import EngineCall  # noqa: E402
from SuperResolutionWidgets.Scene.FolderUpscaler import FolderUpscaler  # noqa: E402

from SuperResolutionLib.errors import InputError  # noqa: E402
from SuperResolutionLib.files.reading import read_volume  # noqa: E402
from SuperResolutionLib.files.writing import write_volume  # noqa: E402
from SuperResolutionLib.geometry.volume import Volume  # noqa: E402


def upscale(inputFolder, outputFolder, resume=False, progress=None, finished=None, **options):
    """Call a ``FolderUpscaler`` as ``SuperResolutionLogic.upscaleFolder`` does."""
    call = EngineCall(2, progress, **options)
    return FolderUpscaler().upscale(inputFolder, outputFolder, call, resume, finished)


def test_files_are_upscaled_and_the_scene_is_not_touched(contents, tmp_path):
    (tmp_path / "in").mkdir()
    voxels = np.random.default_rng(0).integers(0, 900, (2, 20, 24)).astype(np.int16)
    write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), tmp_path / "in" / "a.nrrd")
    (tmp_path / "in" / "b.nrrd").write_text("no image")
    before, steps, ended = contents(), [], []
    outcomes = upscale(
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        progress=lambda *step: steps.append(step),
        finished=lambda number, total, outcome: ended.append((number, total, outcome.state)),
        quality="fast",
        device="cpu",
    )
    assert [outcome.state for outcome in outcomes] == ["done", "failed"]
    assert ended == [(1, 2, "done"), (2, 2, "failed")] and steps[-1] == (2, 2, "1 of 2: a.nrrd")
    assert read_volume(tmp_path / "out" / "a.nrrd").dimensions == (48, 40, 2)
    assert contents() == before
    again = upscale(tmp_path / "in", tmp_path / "out", resume=True, quality="fast")
    assert [outcome.state for outcome in again] == ["skipped", "failed"]


def test_missing_packages_are_named_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SuperResolutionLib.upscaling.upscale", None)
    with pytest.raises(InputError, match="install"):
        upscale(tmp_path, tmp_path / "out")
