"""The way of a volume through ``upscale`` is straight: no file sees a volume come in twice, but for geometry's."""

import functools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import SuperResolutionLib
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling import adaptation
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

ENGINE = Path(SuperResolutionLib.__file__).parent


def entrances(run):
    """Return how often a volume was handed from one file of the engine into each other one while ``run()`` ran."""
    counts = Counter()

    def file_of(frame):
        path = Path(frame.f_code.co_filename)
        return path.relative_to(ENGINE).as_posix() if ENGINE in path.parents else None

    def watch(frame, event, argument):
        if event != "call" or (file := file_of(frame)) is None:
            return
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
        if any(isinstance(frame.f_locals.get(name), Volume) for name in names):
            caller = frame.f_back
            while caller is not None and file_of(caller) is None:
                caller = caller.f_back
            if caller is not None and file_of(caller) != file:
                counts[file] += 1

    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(None)
    return counts


@pytest.mark.parametrize(
    "wishes",
    [
        {"factor": 2},
        {"factor": 4, "region": (5, 5, 2, 20, 22, 9), "quality": "best"},
        {"factor": (1, 1, 2)},
        {"factor": (2, 2, 2), "error": True},
        {"factor": None, "isotropic": True, "adapt": True},
        {"factor": None, "spacing": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("filled", [False, True], ids=["as acquired", "zero-filled"])
def test_no_file_but_geometrys_is_entered_twice_by_a_volume(wishes, filled, phantom, anatomy, zero_filled, monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", functools.partial(adaptation.adapt, steps=1))
    scan = phantom
    if filled:
        scan = Volume(zero_filled(anatomy[:2], (0.5, 0.5))[:, 40:136, 40:120], np.diag([0.45, 0.45, 3.0, 1.0]), "MR")
    counts = entrances(lambda: upscale(scan, UpscaleRequest(**{"quality": "fast", "device": "cpu", **wishes})))
    assert counts["acquisition/survey.py"] == 1  # the watch sees what comes in
    assert not {file: count for file, count in counts.items() if count > 1 and not file.startswith("geometry/")}
