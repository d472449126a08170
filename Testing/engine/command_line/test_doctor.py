"""What the doctor says of packages that are not there, or not whole, and of slices that differ in brightness."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolutionLib.command_line import installation
from SuperResolutionLib.command_line.doctor import check_scan
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """A function that returns the doctor's finding on a package that consists of these files, by its name."""

    def find(name, **files):
        for file, content in files.items():
            path = tmp_path / name / f"{file}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(installation, "PACKAGES", (name,))
        return {finding.subject: finding for finding in installation.check_installation()}[name]

    return find


def test_a_package_that_is_missing_is_at_fault(findings):
    finding = findings("surely_missing")
    assert not finding.healthy
    assert "ModuleNotFoundError" in finding.text and "install it again" in finding.text


def test_a_package_whose_binary_does_not_load_is_at_fault_in_one_line(findings):
    finding = findings("surely_broken", __init__="raise OSError('[WinError 206] too long\\nand much more')")
    assert not finding.healthy
    assert finding.text == "cannot be imported (OSError: [WinError 206] too long); install it again"


def test_a_folder_that_a_broken_installation_left_behind_is_at_fault(findings):
    finding = findings("surely_empty", leftover="")
    assert not finding.healthy
    assert finding.text == "its files are incomplete; install it again"


def test_a_package_that_works_is_well_with_its_version(findings):
    finding = findings("surely_whole", __init__="__version__ = '3.1'")
    assert finding.healthy and finding.text == "3.1"


def test_the_doctor_says_what_of_a_scan_was_not_measured(phantom, tmp_path):
    voxels = phantom.voxels.astype(np.float32)
    voxels[:, :, :4], voxels[2, 20, 20] = -7, 1e12
    write_volume(replace(phantom, voxels=voxels), tmp_path / "scan.nrrd")
    text = next(check_scan(tmp_path / "scan.nrrd")).text
    assert "Padding, 9.1 % of the voxels, is seen as what lies nearest to it and comes back as it is." in text
    assert "1 voxel lies more than 10000 ranges beyond that of all others" in text


@pytest.mark.parametrize("share", [0, 0.05])
def test_slices_that_take_turns_in_brightness_are_told_where_there_are_any(tmp_path, share):
    k, j, i = np.indices((16, 40, 48))
    voxels = 500 + 100 * np.sin(i / 5 + k / 6) * np.cos(j / 7)
    voxels[::2] *= 1 + share
    write_volume(Volume(voxels.astype(np.int16), np.diag([1.0, 1.0, 4.0, 1.0])), tmp_path / "scan.nrrd")
    told = [finding.text for finding in check_scan(tmp_path / "scan.nrrd") if finding.subject == "brightness"]
    sentence = (
        "Brightness repeats every second slice, as interleaved acquisition leaves it: the brightest slices are 5.0 %"
        " above the darkest."
    )
    assert told == ([sentence] if share else [])
