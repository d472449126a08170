"""The ``superresolution`` program as its users run it: a process with arguments, files, output and an exit code."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume, refined_matrix
from SuperResolutionLib.upscaling import adaptation
from SuperResolutionLib.version import VERSION

NIBABEL_IMAGES = Path(nibabel.__file__).parent / "tests" / "data"
DONE, BAD_INPUT, CANCELLED = 0, 2, 3


@pytest.fixture(scope="module")
def thick_stack(tmp_path_factory):
    """A file of four slices 4 mm apart and 3.5 mm thick."""
    k, j, i = np.indices((4, 32, 40))
    voxels = (500 + 400 * np.sin(i / 4 + k) * np.cos(j / 5)).astype(np.int16)
    path = tmp_path_factory.mktemp("thick") / "thick.nrrd"
    write_volume(Volume(voxels, np.diag([1, 1, 4, 1.0]), "MR", 3.5), path)
    return path


@pytest.fixture(scope="module")
def brain(tmp_path_factory) -> Path:
    """Three slices of 33 x 41 voxels of nibabel's real head, int16, as .nrrd."""
    path = tmp_path_factory.mktemp("brain") / "brain.nrrd"
    write_volume(read_volume(NIBABEL_IMAGES / "anatomical.nii").cropped((0, 0, 11), (33, 41, 14)), path)
    return path


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- what is done


def test_x4_with_report_expected_error_and_json_progress(run, brain, tmp_path):
    code, out, err = run(
        *("upscale", brain, tmp_path / "Schädel ×4.nii.gz", "--factor", 4, "--quality", "fast"),
        *("--error", tmp_path / "error.nrrd", "--report", tmp_path / "report.json", "--progress", "json"),
    )
    assert (code, err) == (DONE, "")
    assert files_in(tmp_path) == ["Schädel ×4.nii.gz", "error.nrrd", "report.json"]

    volume, result = read_volume(brain), read_volume(tmp_path / "Schädel ×4.nii.gz")
    assert result.dimensions == (132, 164, 3)
    assert result.voxels.dtype == np.int16
    np.testing.assert_allclose(result.ijk_to_ras, refined_matrix(volume.ijk_to_ras, (4, 4, 1)), atol=1e-5)
    averaged = result.voxels.reshape(3, 41, 4, 33, 4).mean(axis=(2, 4))
    assert np.corrcoef(averaged.ravel(), volume.voxels.ravel())[0, 1] > 0.99
    error = read_volume(tmp_path / "error.nrrd")
    assert error.dimensions == result.dimensions and error.voxels.dtype == np.float32

    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[:-1]] == ["progress"] * (len(events) - 1)
    done = [event["done"] for event in events[:-1]]
    assert done == sorted(done) and done[-1] == events[-2]["total"] == 3
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert events[-1] == {"event": "result", "output": str(tmp_path / "Schädel ×4.nii.gz"), "report": report}
    assert report["program"] == f"SuperResolution {VERSION}"
    assert report["files"]["input"] == str(brain)
    assert report["output"]["factors_ijk"] == [4, 4, 1]
    assert report["steps"][-1]["consistency"]["held"] is True


def test_factors_per_axis_a_region_and_a_float_result(run, brain, tmp_path):
    volume = read_volume(brain)
    box = (8, 10, 1), (20, 24, 2)
    region = ",".join(str(v) for v in (volume.cropped(*box).ras_bounds() + [[0.1] * 3, [-0.1] * 3]).ravel())
    code, out, err = run(
        *("upscale", brain, tmp_path / "part.mha", "--factor", "2x2x1", f"--region={region}", "--no-consistency"),
        *("--output-type", "float", "--progress", "none", "--report", tmp_path / "part.json", "--device", "cpu"),
        "--no-compression",
    )
    assert (code, out, err) == (DONE, "", "")
    result = read_volume(tmp_path / "part.mha")
    assert (tmp_path / "part.mha").stat().st_size > result.voxels.nbytes
    assert result.dimensions == (24, 28, 1) and result.voxels.dtype == np.float32
    np.testing.assert_allclose(result.ras_bounds(), volume.cropped(*box).ras_bounds(), atol=1e-6)
    assert json.loads((tmp_path / "part.json").read_text())["steps"][-1]["consistency"]["held"] is False


def test_one_slice_and_what_was_added_to_it(run_here, brain, tmp_path):
    code, _, err = run_here(
        *("upscale", brain, tmp_path / "slice.nrrd", "--factor", "2", "--box", "0,0,1,33,41,2", "--device", "cpu"),
        *("--added", tmp_path / "added.nrrd", "--progress", "none"),
    )
    assert (code, err) == (DONE, "")
    volume, result, added = (read_volume(p) for p in (brain, tmp_path / "slice.nrrd", tmp_path / "added.nrrd"))
    assert result.dimensions == added.dimensions == (66, 82, 1)
    np.testing.assert_allclose(result.ras_bounds(), volume.cropped((0, 0, 1), (33, 41, 2)).ras_bounds(), atol=1e-6)
    interpolated = (result.voxels - added.voxels).reshape(41, 2, 33, 2).mean(axis=(1, 3))
    assert np.corrcoef(interpolated.ravel(), volume.voxels[1].ravel())[0, 1] > 0.99
    assert 0 < np.abs(added.voxels).mean() < 0.1 * result.voxels.mean()


def test_a_region_that_begins_with_a_minus_is_understood(run_here, brain, tmp_path):
    low, high = read_volume(brain).ras_bounds()
    low[0] = min(low[0], -1.0)
    region = ",".join(str(v) for v in (*low, *high))
    code, _, err = run_here(
        *("upscale", brain, tmp_path / "v.nrrd", "--factor", "2", "--region", region, "--progress", "none")
    )
    assert (code, err) == (DONE, "")


def test_a_target_spacing_and_a_result_in_words(run, brain, tmp_path):
    code, out, _ = run("upscale", brain, tmp_path / "v.nrrd", "--spacing", "1.2", "--quality", "fast")
    assert code == DONE
    np.testing.assert_allclose(read_volume(tmp_path / "v.nrrd").spacing, (1.2, 1.2, 2.0))
    assert "55 x 68 x 3 voxels of 1.2 x 1.2 x 2 mm" in out
    assert "mri-x2" in out and "held" in out


@pytest.mark.parametrize(
    "grid, sizes, spacing",
    [
        (("--isotropic",), (40, 32, 16), (1, 1, 1)),
        (("--factor", "1x1x3"), (40, 32, 12), (1, 1, 4 / 3)),
        (("--spacing", "1x1x2"), (40, 32, 8), (1, 1, 2)),
        (("--factor", "2x2x2"), (80, 64, 8), (0.5, 0.5, 2)),
        (("--model", "mri-through-plane"), (40, 32, 16), (1, 1, 1)),
    ],
    ids=str,
)
def test_thick_slices_get_new_ones_between_them(run_here, thick_stack, tmp_path, grid, sizes, spacing):
    report, out = tmp_path / "report.json", tmp_path / "thin.nrrd"
    code, _, err = run_here("upscale", thick_stack, out, *grid, "--report", report, "--progress", "none")
    assert (code, err) == (DONE, "")
    fine, coarse = read_volume(out), read_volume(thick_stack)
    assert fine.dimensions == sizes and fine.voxels.dtype == coarse.voxels.dtype
    np.testing.assert_allclose(fine.spacing, spacing, rtol=1e-6)
    np.testing.assert_allclose(fine.ras_bounds(), coarse.ras_bounds(), atol=1e-4)
    through = json.loads(report.read_text(encoding="utf-8"))["steps"][-1]
    assert through["thickness_mm"] == 3.5 and through["thickness_from"] == "the file"
    assert through["consistency"]["residual_percent"] <= 0.5


def test_the_thickness_can_be_given_and_the_network_adapted(run_here, thick_stack, tmp_path, monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", functools.partial(adaptation.adapt, steps=2))
    report = tmp_path / "report.json"
    options = ("--isotropic", "--thickness", "3", "--adapt", "--progress", "json", "--report", report)
    code, out, err = run_here("upscale", thick_stack, tmp_path / "thin.nrrd", *options)
    assert (code, err) == (DONE, "")
    messages = [json.loads(line).get("message") for line in out.splitlines()]
    assert "Adapting to this scan" in messages and "Refining through the slices" in messages
    through = json.loads(report.read_text(encoding="utf-8"))["steps"][-1]
    assert through["adapted"] and (through["thickness_mm"], through["thickness_from"]) == (3, "the request")


def test_a_preview_of_new_slices_is_a_cut_through_them(run_here, thick_stack, tmp_path):
    picture = tmp_path / "p.png"
    code, out, err = run_here("preview", thick_stack, picture, "--isotropic", "--slice", 10, "--progress", "none")
    assert (code, err) == (DONE, "") and "slice 10" in out
    assert picture.stat().st_size > 1000


def test_a_dicom_series_folder_a_model_folder_and_an_old_output(run_here, repository, series, tmp_path):
    output = tmp_path / "out.nrrd"
    output.write_text("yesterday's result")
    model = repository / "SuperResolutionLib" / "Bundles" / "mri-x2-compact"
    code, _, err = run_here("upscale", series, output, "--model", model, "--progress", "none")
    assert (code, err) == (DONE, "")
    result = read_volume(output)
    assert result.dimensions == (128, 128, 3)
    np.testing.assert_allclose(result.spacing, (0.3125 / 2, 0.3125 / 2, 2.0), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 21, 17), (2, 2, 3)], ids=str)
def test_single_slices_and_odd_sizes_are_upscaled(run_here, tmp_path, shape):
    voxels = np.random.default_rng(0).integers(0, 900, shape).astype(np.uint16)
    write_volume(Volume(voxels, np.diag([1, 1, 2, 1.0])), tmp_path / "in.mha")
    code, _, err = run_here("upscale", tmp_path / "in.mha", tmp_path / "out.nii", "--factor", 2, "--progress", "none")
    assert (code, err) == (DONE, "")
    result = read_volume(tmp_path / "out.nii")
    assert result.voxels.shape == (shape[0], 2 * shape[1], 2 * shape[2])
    assert result.voxels.dtype == np.uint16


def test_a_held_out_scan_is_upscaled(run_here, scans, tmp_path):
    scan = read_volume(scans / "heldout" / "t2_prostatex0218_sag.nii.gz")
    write_volume(scan.cropped((128, 128, 10), (192, 192, 12)), tmp_path / "in.nii.gz")
    code, _, err = run_here("upscale", tmp_path / "in.nii.gz", tmp_path / "out.nii.gz", "--progress", "none")
    assert (code, err) == (DONE, "")
    before, after = (read_volume(tmp_path / name) for name in ("in.nii.gz", "out.nii.gz"))
    assert after.dimensions == (256, 256, 2)
    np.testing.assert_allclose(after.ras_bounds(), before.ras_bounds(), atol=1e-4)


def test_an_evaluation_is_printed_and_written(run_here, brain, tmp_path):
    code, out, err = run_here(
        *("evaluate", brain, "--factor", 2, "--degradation", "area", "--slices", 1, "--out", tmp_path / "scores"),
        *("--quality", "fast", "--progress", "none"),
    )
    assert (code, err) == (DONE, "")
    assert "B-spline" in out and "SuperResolution" in out
    assert files_in(tmp_path / "scores") == ["figure.png", "records.json", "table.md"]
    assert json.loads((tmp_path / "scores" / "records.json").read_text())


# ---------------------------------------------------------------- what is refused

BAD_INPUTS = {
    "a missing file": ("{files}/missing.nrrd {out}", "no file"),
    "a text file named .nrrd": ("{files}/text.nrrd {out}", "not an image"),
    "an empty file": ("{files}/nothing.nii.gz {out}", "a file of 0 bytes"),
    "an empty volume": ("{files}/empty.nrrd {out}", "empty.nrrd"),
    "a truncated NRRD": ("{files}/cut.nrrd {out}", "damaged"),
    "a truncated NIfTI": ("{files}/cut.nii.gz {out}", "damaged"),
    "a colour picture": ("{files}/colour.png {out}", "grey-scale"),
    "a vector volume": ("{files}/vector.nrrd {out}", "grey-scale"),
    "a 4-D series": ("{nibabel}/example4d.nii.gz {out}", "4-D"),
    "a folder without DICOM": ("{files}/folder {out}", "no DICOM series"),
    "NaN": ("{files}/nan.nrrd {out}", "NaN"),
    "infinity": ("{files}/inf.nrrd {out}", "infinite"),
    "a constant volume": ("{files}/constant.nrrd {out}", "equal"),
    "a slice plane one voxel thick": ("{files}/thin.nrrd {out}", "one voxel thick"),
    "a factor that no model has": ("{brain} {out} --factor 9", "x9"),
    "factors that are no plane": ("{brain} {out} --factor 4x2x1", "4x2x1"),
    "a factor that is no number": ("{brain} {out} --factor two", "--factor"),
    "isotropic of what is isotropic": ("{files}/constant.nrrd {out} --isotropic", "equal"),
    "a thickness without new slices": ("{files}/anisotropic.nrrd {out} --factor 2 --thickness 3", "new slices"),
    "a thickness that cannot be": ("{files}/anisotropic.nrrd {out} --isotropic --thickness 90", "90 mm"),
    "adapting without new slices": ("{files}/anisotropic.nrrd {out} --factor 2 --adapt", "new slices"),
    "levelling without new slices": ("{files}/anisotropic.nrrd {out} --factor 2 --level", "new slices"),
    "a spacing that is there already": ("{brain} {out} --spacing 2", "already"),
    "two wishes for the grid": ("{brain} {out} --factor 2 --spacing 1", "not allowed with"),
    "a region off the volume": ("{brain} {out} --region 900,900,900,950,950,950", "region"),
    "a region of five numbers": ("{brain} {out} --region 1,2,3,4,5", "--region"),
    "an unknown model": ("{brain} {out} --model no-such-model", "no model"),
    "a model with a wrong digest": ("{brain} {out} --model {files}/forged", "SHA-256"),
    "detail out of range": ("{brain} {out} --detail 1.5", "between 0 and 1"),
    "an unknown device": ("{brain} {out} --device cuda:99", "no device"),
    "an unknown quality": ("{brain} {out} --quality superb", "--quality"),
    "an unknown option": ("{brain} {out} --colour red", "--colour"),
    "an unknown output suffix": ("{brain} {out}.jpg", "end the output's name"),
    "a box outside the volume": ("{brain} {out} --box 0,0,2,33,41,9", "box"),
    "a box that is empty": ("{brain} {out} --box 0,0,1,33,41,1", "box"),
    "a box of too few numbers": ("{brain} {out} --box 0,0,1,33,41", "--box"),
    "an unknown suffix for what was added": ("{brain} {out} --added {out}.txt", "end the output's name"),
    "an unknown suffix for the expected error": ("{brain} {out} --error {out}.txt", "end the output's name"),
    "an option that has gone": ("{brain} {out} --uncertainty {out}.nrrd", "use --error FILE"),
    "a file in the place of the output folder": ("{brain} {files}/text.nrrd/out.nrrd", "Cannot write"),
    "a report in a folder that is not there": ("{brain} {out} --report {files}/none/report.json", "Cannot write"),
    "a folder in the place of the report": ("{brain} {out} --report {taken}", "folder"),
    "a folder in the place of the output": ("{brain} {taken}", "folder"),
}
if Path("/proc/self").exists():
    BAD_INPUTS["an output folder that cannot be written"] = ("{brain} /proc/out.nrrd", "Cannot write")


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, repository):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.nrrd").write_text("Dear colleague, please find the scan attached.\n")
    (folder / "nothing.nii.gz").write_bytes(b"")
    (folder / "empty.nrrd").write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 0 4 4\nencoding: raw\n\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "notes.txt").write_text("nothing here")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 3), np.uint8), isVector=True), str(folder / "colour.png"))
    vectors = np.zeros((4, 5, 6, 3), np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(vectors, isVector=True), str(folder / "vector.nrrd"))
    voxels = np.random.default_rng(0).normal(500, 100, (3, 20, 20)).astype(np.float32)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        spoilt = voxels.copy()
        spoilt[1, 2, 3] = value
        write_volume(Volume(spoilt, np.eye(4)), folder / f"{name}.nrrd")
    write_volume(Volume(np.full((3, 20, 20), 7, np.int16), np.eye(4)), folder / "constant.nrrd")
    write_volume(Volume(voxels[:, :, :1], np.eye(4)), folder / "thin.nrrd")
    write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), folder / "anisotropic.nrrd")
    for name in ("cut.nrrd", "cut.nii.gz"):
        write_volume(Volume(voxels, np.eye(4)), folder / name)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    shipped, forged = repository / "SuperResolutionLib" / "Bundles" / "mri-x4-compact", folder / "forged"
    for name in ("configs/metadata.json", "models/fidelity.safetensors"):
        (forged / name).parent.mkdir(parents=True, exist_ok=True)
        content = (shipped / name).read_bytes()
        (forged / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if name.startswith("models") else content)
    return folder


@pytest.fixture
def upscale_badly(bad_files, brain, tmp_path):
    """The function that fills in a bad input's places, upscales by a ``run``, and adds the files that are left."""
    (tmp_path / "taken.nrrd").mkdir()

    def upscale(run, arguments):
        places = {"files": bad_files, "nibabel": NIBABEL_IMAGES, "brain": brain}
        places.update(out=tmp_path / "out.nrrd", taken=tmp_path / "taken.nrrd")
        words = [word.format(**places) for word in arguments.split()]
        result = run("upscale", *words, "--progress", "none")
        left = [path.name for path in tmp_path.rglob("*") if path.name != "taken.nrrd"]
        return (*result, left)

    return upscale


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_ends_with_2_one_line_that_says_why_and_no_output(run_here, upscale_badly, name):
    arguments, reason = BAD_INPUTS[name]
    code, out, err, left = upscale_badly(run_here, arguments)
    assert code == BAD_INPUT, err
    assert re.fullmatch(r"superresolution: [^\n]+[^\n ]\n", err), err
    assert reason in err
    assert (out, left) == ("", [])


@pytest.mark.parametrize("name", ["a text file named .nrrd", "NaN", "a model with a wrong digest"])
def test_the_process_itself_ends_with_2_too(run, upscale_badly, name):
    arguments, reason = BAD_INPUTS[name]
    code, out, err, left = upscale_badly(run, arguments)
    assert (code, out, left) == (BAD_INPUT, "", [])
    assert re.fullmatch(r"superresolution: [^\n]+\n", err) and reason in err


def test_a_fault_of_our_own_ends_with_1_and_leaves_no_file(repository, brain, tmp_path):
    code = "import sys; sys.argv[0] = 'x'\nimport SuperResolutionLib.upscaling.upscale as u\n"
    code += "import SuperResolutionLib.command_line.program as c\ndef fail(*a, **o): raise ZeroDivisionError('ours')\n"
    code += "u.plan = fail\nsys.exit(c.main())"
    arguments = ("upscale", str(brain), str(tmp_path / "out.nrrd"), "--progress", "json")
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    end = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    assert end.returncode == 1
    assert json.loads(end.stdout.splitlines()[-1])["kind"] == "fault"
    assert "Traceback" in end.stderr
    assert files_in(tmp_path) == []


def test_with_json_progress_a_bad_input_is_an_event_too(run_here, tmp_path):
    code, out, err = run_here("upscale", tmp_path / "none.nrrd", tmp_path / "out.nrrd", "--progress", "json")
    assert code == BAD_INPUT
    (event,) = [json.loads(line) for line in out.splitlines()]
    assert event["event"] == "error" and event["kind"] == "input"
    assert err == f"superresolution: {event['message']}\n"


@pytest.mark.parametrize("arguments", [[], ["enlarge"], ["upscale"], ["models", "--xml"]], ids=str)
def test_bad_usage_ends_with_2_and_one_line(run_here, arguments):
    code, out, err = run_here(*arguments)
    assert (code, out) == (BAD_INPUT, "")
    assert re.fullmatch(r"superresolution: [^\n]+--help\.\n", err)


# ---------------------------------------------------------------- cancelling


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no polite kill")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_killed_run_ends_with_3_and_leaves_no_file(start, tmp_path, number):
    voxels = np.random.default_rng(0).integers(0, 900, (60, 90, 90)).astype(np.int16)
    source, output = tmp_path / "in.nrrd", tmp_path / "out" / "out.nrrd"
    write_volume(Volume(voxels, np.diag([1, 1, 2, 1.0])), source)
    output.parent.mkdir()
    process = start("upscale", source, output, "--quality", "best", "--progress", "json", "--report", f"{output}.json")
    try:
        lines = []
        while not any('"done": 1,' in line for line in lines):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        process.send_signal(number)
        killed = time.monotonic()
        out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - killed
    finally:
        process.kill()
    assert process.returncode == CANCELLED
    assert json.loads(out.splitlines()[-1])["kind"] == "cancelled"
    assert err == "superresolution: Cancelled; nothing was written.\n"
    assert files_in(output.parent) == []
    assert seconds < 15  # one tile on a busy machine, not the 60 slices that were left


# ---------------------------------------------------------------- the other commands


def test_the_version_is_stated(run):
    assert run("--version") == (DONE, f"superresolution {VERSION}\n", "")


def test_the_models_are_listed_for_people_and_for_programs(run, run_here):
    code, out, err = run("models", "--json")
    assert (code, err) == (DONE, "")
    models = {model["name"]: model for model in json.loads(out)}
    assert models["mri-x4-compact"]["factor"] == 4
    assert models["mri-x4-compact"]["modality"] == "MR"
    assert models["mri-x4-compact"]["quality"] == "fast"
    assert re.fullmatch("[0-9a-f]{64}", models["mri-x4-compact"]["weights"]["fidelity"])
    assert Path(models["mri-x4-compact"]["folder"]).is_dir()
    code, out, err = run_here("models")
    assert (code, err) == (DONE, "")
    assert [line.split(":")[0] for line in out.splitlines()] == list(models)


def test_the_doctor_finds_this_installation_well(run):
    code, out, err = run("doctor")
    assert code == DONE, out + err
    lines = out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    for subject in ("SuperResolution", "Python", "torch", "SimpleITK", "device cpu", "model mri-x4-compact"):
        assert any(line.startswith(f"ok  {subject}: ") for line in lines), subject


def test_the_doctor_also_speaks_to_programs(run_here, brain):
    code, out, err = run_here("doctor", brain, "--json")
    assert (code, err) == (DONE, "")
    finding, slices = json.loads(out)
    assert finding["subject"] == brain.name and finding["healthy"] and "mm" in finding["text"]
    assert slices["subject"] == "slices" and "so says" in slices["text"]


@pytest.fixture(scope="module")
def filled_brain(brain, tmp_path_factory):
    """The head on a grid that is stored 3 times finer than its k-space was acquired, 2 slices, int16, as .nrrd."""
    volume = read_volume(brain)
    coarse = volume.voxels[:2].astype(float)
    fine = np.zeros((2, 123, 99), complex)
    spectrum = np.fft.fftshift(np.fft.fft2(coarse), axes=(1, 2))
    fine[:, 41:82, 33:66] = spectrum
    noise = np.random.default_rng(0).normal(size=(2, 2, 41, 33)) * np.abs(spectrum).max() / 2000
    fine[:, 41:82, 33:66] += noise[0] + 1j * noise[1]
    fine = 9 * np.abs(np.fft.ifft2(np.fft.ifftshift(fine, axes=(1, 2))))
    path = tmp_path_factory.mktemp("filled") / "filled.nrrd"
    write_volume(Volume(np.rint(fine).astype(np.int16), np.diag([0.5, 0.5, 4, 1]), "MR"), path)
    return path


def test_the_doctor_says_how_a_scan_was_acquired(run_here, filled_brain, brain, tmp_path):
    code, out, err = run_here("doctor", filled_brain)
    assert (code, err) == (DONE, "")
    acquired, slices = out.splitlines()
    found = re.fullmatch(
        r"ok  filled.nrrd: Stored at 0.5 mm, acquired at ([\d.]+)( x [\d.]+)? mm; upscaled from the acquired band."
        r" So says the spectrum.",
        acquired,
    )
    assert float(found.group(1)) == pytest.approx(1.5, rel=0.1)
    assert slices == (
        "ok  slices: along k (so says the coarsest spacing), 4 mm apart, 4 mm thick (so says the slice spacing)"
    )
    assert run_here("doctor", brain)[1].startswith(
        "ok  brain.nrrd: Stored at 2 mm; along i and j too few samples to tell; left as stored.\n"
    )
    assert run_here("doctor", tmp_path / "absent.nrrd")[0] == BAD_INPUT


def test_as_stored_is_a_switch_of_upscale_and_preview(run_here, filled_brain, tmp_path):
    used = {}
    for switch in ((), ("--as-stored",)):
        options = ("--factor", 2, "--progress", "none", "--report", tmp_path / "r.json", *switch)
        code, _, err = run_here("upscale", filled_brain, tmp_path / "fine.nrrd", *options)
        assert (code, err) == (DONE, "")
        steps = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["steps"]
        used[switch] = [step["kind"] for step in steps]
        assert read_volume(tmp_path / "fine.nrrd").dimensions == (198, 246, 2)
    assert used == {(): ["acquired band", "slice plane"], ("--as-stored",): ["slice plane"]}
    code, _, err = run_here(
        "preview", filled_brain, tmp_path / "p.png", "--factor", 2, "--as-stored", "--progress", "none"
    )
    assert (code, err) == (DONE, "") and (tmp_path / "p.png").stat().st_size > 1000


def test_the_acquired_matrix_can_be_stated_to_upscale_batch_preview_and_the_doctor(run_here, filled_brain, tmp_path):
    matrix, quiet = ("--acquired", "33x41"), ("--quality", "fast", "--progress", "none")
    code, out, err = run_here("doctor", filled_brain, *matrix)
    assert (code, err) == (DONE, "")
    assert out.splitlines()[0] == (
        "ok  filled.nrrd: Stored at 0.5 mm, acquired at 1.5 mm; upscaled from the acquired band. So says the request."
    )
    runs = {
        "upscale": (filled_brain, tmp_path / "fine.nrrd", "--report", tmp_path / "out" / "filled.nrrd.json"),
        "batch": (filled_brain.parent, tmp_path / "out"),
        "preview": (filled_brain, tmp_path / "p.png"),
    }
    (tmp_path / "out").mkdir()
    for command, arguments in runs.items():
        code, _, err = run_here(command, *arguments, "--factor", 2, *matrix, *quiet)
        assert (code, err) == (DONE, ""), command
        report = json.loads((tmp_path / "out" / "filled.nrrd.json").read_text(encoding="utf-8"))
        assert report["steps"][0] == {"kind": "acquired band", "spacing_mm_ijk": [1.5, 1.5, 4]}
        assert report["survey"]["acquired"]["acquired_from"] == "the request"


@pytest.mark.parametrize(
    "options, reason",
    [
        (("--acquired", "33"), "matrix"),
        (("--acquired", "33x41x2"), "matrix"),
        (("--acquired", "33xmany"), "matrix"),
        (("--acquired", "41x400"), "give 25 to 99 along i and 31 to 123 along j"),
        (("--acquired", "-33x41"), "give 25 to 99 along i and 31 to 123 along j"),
        (("--acquired", "33x41", "--as-stored"), "not allowed with"),
    ],
    ids=str,
)
def test_an_acquired_matrix_that_cannot_be_is_one_line(run_here, filled_brain, tmp_path, options, reason):
    code, out, err = run_here("upscale", filled_brain, tmp_path / "fine.nrrd", "--factor", 2, *options)
    assert (code, out) == (BAD_INPUT, "")
    assert err.count("\n") == 1 and reason in err
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["upright", "oblique"])
def test_a_preview_is_a_picture_of_one_slice(run_here, brain, tmp_path, kind):
    volume = read_volume(brain)
    if kind == "oblique":
        tilt = np.eye(4)
        tilt[:3, :3] = [[1, 0, 0], [0, np.cos(0.4), -np.sin(0.4)], [0, np.sin(0.4), np.cos(0.4)]]
        volume = Volume(volume.voxels, tilt @ volume.ijk_to_ras)
    write_volume(volume, tmp_path / "in.nrrd")
    code, out, err = run_here("preview", tmp_path / "in.nrrd", tmp_path / "p.png", "--factor", 2, "--progress", "json")
    assert code == DONE, err
    width, height = sitk.ReadImage(str(tmp_path / "p.png")).GetSize()[:2]
    assert width > 200 and height > 60
    assert files_in(tmp_path) == ["in.nrrd", "p.png"]
    totals = [json.loads(line)["total"] for line in out.splitlines() if line.startswith("{") and '"total"' in line]
    assert set(totals) == {1}


def test_a_preview_may_show_the_expected_error(run_here, brain, tmp_path):
    plain, error = tmp_path / "plain.png", tmp_path / "error.png"
    options = ("--factor", 4, "--quality", "fast", "--progress", "none")
    assert run_here("preview", brain, plain, *options)[0] == DONE
    code, _, err = run_here("preview", brain, error, *options, "--error")
    assert code == DONE, err
    first, second = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(int) for path in (plain, error))
    width = min(first.shape[1], second.shape[1])
    differs = (first[: len(second), :width] != second[: len(first), :width]).any(axis=(0, 2))
    assert differs.any() and not differs[: width // 2].any()


@pytest.mark.parametrize("arguments, reason", [(["p.jpg"], "PNG"), (["p.png", "--slice", "3"], "no slice 3")], ids=str)
def test_a_preview_that_cannot_be_drawn_is_an_input_error(run_here, brain, tmp_path, arguments, reason):
    code, out, err = run_here("preview", brain, tmp_path / arguments[0], *arguments[1:])
    assert (code, out) == (BAD_INPUT, "")
    assert err.count("\n") == 1 and reason in err
    assert files_in(tmp_path) == []
