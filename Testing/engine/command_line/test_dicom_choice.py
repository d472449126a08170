"""DICOM on the command line: a series and an echo are chosen, and all commands refuse by the same sentence."""

import json

import pydicom
import pytest
import SimpleITK as sitk

from SuperResolutionLib.command_line.exit_codes import BAD_INPUT, DONE

FAST = ("--factor", "2", "--quality", "fast", "--progress", "none")


@pytest.fixture
def two_echoes(write_series, tmp_path):
    """A folder of a series with two echoes of three images."""
    folder = write_series(tmp_path / "scan", [f"{n}.dcm" for n in range(6)])
    for number, path in enumerate(sorted(folder.iterdir())):
        data = pydicom.dcmread(path)
        data.EchoTime = 20 if number < 3 else 80
        data.ImagePositionPatient = [-10, -10, 2.0 * (number % 3)]
        data.save_as(path)
    return folder


def test_an_echo_is_chosen_or_asked_for_by_every_command(run_here, two_echoes, tmp_path):
    commands = {
        "upscale": (two_echoes, tmp_path / "out.nrrd", *FAST),
        "preview": (two_echoes, tmp_path / "out.png", *FAST),
        "doctor": (two_echoes,),
    }
    for command, arguments in commands.items():
        code, _, err = run_here(command, *arguments)
        assert code == BAD_INPUT
        assert err.strip() == (
            "superresolution: The series in scan holds 2 echoes (20 and 80 ms) at a position, so several volumes;"
            " choose one by --echo 1 or 2."
        )
        assert run_here(command, *arguments, "--echo", 2)[0] == DONE
    assert sitk.ReadImage(str(tmp_path / "out.nrrd")).GetSize() == (128, 128, 3)


def test_a_series_is_chosen_by_its_uid(run_here, two_echoes, tmp_path):
    for path in sorted(two_echoes.iterdir())[3:]:
        data = pydicom.dcmread(path)
        data.SeriesInstanceUID = "1.2.840.99"
        data.save_as(path)
    code, _, err = run_here("doctor", two_echoes)
    assert code == BAD_INPUT and "--series UID" in err and "1.2.840.99" in err
    report = tmp_path / "report.json"
    chosen = ("--series", "1.2.840.99", "--report", report)
    assert run_here("upscale", two_echoes, tmp_path / "out.nrrd", *FAST, *chosen)[0] == DONE
    survey = json.loads(report.read_text())["survey"]
    assert (survey["slice_axis"], survey["slice_axis_from"]) == ("k", "the series")


def test_an_echo_and_a_series_are_exported_by_the_same_choice(run_here, two_echoes, write_series, tmp_path):
    other = write_series(tmp_path / "other", ["a.dcm", "b.dcm"])
    for path in sorted(other.iterdir()):
        data = pydicom.dcmread(path)
        data.SeriesInstanceUID = "1.2.840.99"
        data.save_as(two_echoes / path.name)
    uid = pydicom.dcmread(two_echoes / "0.dcm").SeriesInstanceUID
    choices = {"first": ("--series", uid, "--echo", 1), "second": ("--series", uid, "--echo", 2)}
    choices["third"] = ("--series", "1.2.840.99")
    for name, choice in choices.items():
        assert run_here("upscale", two_echoes, tmp_path / f"{name}.nrrd", *FAST, *choice)[0] == DONE
        code, _, err = run_here("export-dicom", two_echoes, tmp_path / f"{name}.nrrd", tmp_path / name)
        assert code == BAD_INPUT and "--series UID" in err
        assert run_here("export-dicom", two_echoes, tmp_path / f"{name}.nrrd", tmp_path / name, *choice)[0] == DONE
    made = {name: [pydicom.dcmread(path) for path in sorted((tmp_path / name).iterdir())] for name in choices}
    assert [made[name][0].EchoTime for name in ("first", "second")] == [20, 80]
    sources = {name: [image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in made[name]] for name in made}
    assert sources["first"] == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    assert sources["second"] == ["1.2.3.3", "1.2.3.4", "1.2.3.5"]
    assert [image.ReferencedSeriesSequence[0].SeriesInstanceUID for image in made["third"]] == ["1.2.840.99"] * 2


def test_the_doctor_says_that_the_series_names_the_slices(run_here, series):
    code, out, _ = run_here("doctor", series)
    assert code == DONE
    assert "slices: along k (so says the series), 2 mm apart" in out
