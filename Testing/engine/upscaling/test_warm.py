"""The engine that stays warm: what it keeps, and when it looks anew."""

import os

import numpy as np
import pytest

import SuperResolutionLib.upscaling.warm as warm
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.models.bundles import Model
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
from SuperResolutionLib.upscaling.warm import WarmEngine


@pytest.fixture
def counted(monkeypatch):
    """How often a scan was read, surveyed and a network loaded."""
    counts = {"read": 0, "survey": 0, "load": 0}

    def count(name, owner, attribute):
        original = getattr(owner, attribute)

        def counting(*arguments, **options):
            counts[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, attribute, counting)

    count("read", warm, "read_volume")
    count("survey", warm, "survey")
    count("load", Model, "load")
    return counts


@pytest.fixture
def scan(phantom, tmp_path):
    write_volume(phantom, tmp_path / "scan.nrrd")
    return tmp_path / "scan.nrrd"


def request(number, **fields):
    box = ((0, 0, number), (44, 40, number + 1))
    return UpscaleRequest(**{"factor": 2, "quality": "fast", "device": "cpu", "box": box, **fields})


def test_the_scan_its_survey_and_the_network_serve_the_next_run_too(scan, counted):
    engine = WarmEngine()
    results = [engine.upscale(engine.read(scan), request(number)).volume for number in (1, 2, 1)]
    assert counted == {"read": 1, "survey": 1, "load": 1}
    np.testing.assert_array_equal(results[0].voxels, results[2].voxels)
    cold = upscale(engine.read(scan), request(1)).volume
    np.testing.assert_array_equal(results[0].voxels, cold.voxels)


def test_another_detail_loads_another_network_and_few_are_kept(scan, counted):
    engine = WarmEngine()
    for detail in (0.0, 1.0, 0.0, 0.2, 0.4, 0.6, 0.0):
        engine.upscale(engine.read(scan), request(1, detail=detail))
    assert counted["load"] == 5
    engine.upscale(engine.read(scan), request(1, detail=1.0))
    assert counted["load"] == 6


def test_what_the_user_says_of_the_scan_is_surveyed_anew(scan, counted):
    engine = WarmEngine()
    volume = engine.read(scan)
    engine.upscale(volume, request(1))
    engine.upscale(volume, request(1, acquired=(22, 20)))
    engine.upscale(volume, request(1))
    assert counted["survey"] == 2


def test_a_file_that_was_written_anew_is_read_anew(scan, phantom, counted, make_phantom):
    engine = WarmEngine()
    first = engine.read(scan)
    write_volume(make_phantom(noise=20.0), scan)
    os.utime(scan, ns=(1, 1))
    second = engine.read(scan)
    assert not np.array_equal(first.voxels, second.voxels)
    assert engine.read(scan) is second
    engine.forget()
    assert engine.read(scan) is not second


def test_a_folder_is_read_each_time_and_what_is_not_there_is_told(tmp_path, write_series, counted):
    engine = WarmEngine()
    folder = write_series(tmp_path / "series", ["0.dcm", "1.dcm"])
    assert engine.read(folder) is not engine.read(folder)
    with pytest.raises(InputError):
        engine.read(tmp_path / "absent.nrrd")


def test_another_volume_than_the_kept_one_is_upscaled_all_the_same(scan, oblique_phantom, counted):
    engine = WarmEngine()
    engine.read(scan)
    assert engine.upscale(oblique_phantom, request(1)).volume.dimensions == (88, 80, 1)
    engine.free()
    assert engine.upscale(engine.read(scan), request(1)).volume.dimensions == (88, 80, 1)
    assert counted["read"] == 1
