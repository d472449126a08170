"""Outputs: whole or absent, together, and never the input or one another."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.whole_outputs import (
    WholeOutputs,
    check_apart,
    remove_what_died,
    temporary_name,
    write_text,
)
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.file_to_file import upscale_file
from SuperResolutionLib.upscaling.request import UpscaleRequest

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


@contextlib.contextmanager
def small_disk(size):
    """Let no file grow beyond ``size`` bytes, which ends writes as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def noisy():
    return Volume(np.random.default_rng(0).integers(0, 30000, (6, 50, 50)).astype(np.int16), np.eye(4))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_full_disk_leaves_nothing_and_says_so_in_one_sentence(tmp_path, noisy, capfd, suffix, compressed):
    with small_disk(10_000), pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        write_volume(noisy, tmp_path / f"v{suffix}", compressed)
    assert f"v{suffix}" in str(caught.value) and ".partial" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_full_disk_leaves_no_half_text(tmp_path):
    (tmp_path / "report.json").write_text("old")
    with small_disk(1000), pytest.raises(InputError, match=ONE_SENTENCE):
        write_text(tmp_path / "report.json", "x" * 5000)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.json", "old")]


def test_of_several_outputs_none_appears_where_the_last_one_cannot_be_written(tmp_path):
    (tmp_path / "b").write_text("old")

    def fail(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left"), WholeOutputs() as outputs:
        outputs.add(tmp_path / "a", lambda path: path.write_text("whole"))
        outputs.add(tmp_path / "b", fail)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b", "old")]


def test_a_file_that_changed_on_its_way_to_the_disk_is_found(tmp_path, noisy, monkeypatch):
    from SuperResolutionLib.files import slice_by_slice, writing

    write = writing.sitk.WriteImage
    monkeypatch.setattr(writing.sitk, "WriteImage", lambda image, *args, **options: write(image + 1, *args, **options))
    with pytest.raises(InputError, match="not whole"):
        write_volume(noisy, tmp_path / "v.mha")

    def opened(path, mode, header, compressed, really_open=slice_by_slice._opened):
        if mode == "rb":
            content = bytearray(path.read_bytes())
            content[-200] ^= 1
            path.write_bytes(content)
        return really_open(path, mode, header, compressed)

    monkeypatch.setattr(slice_by_slice, "_opened", opened)
    for suffix in (".nrrd", ".nii.gz", ".nii"):
        with pytest.raises(InputError, match="not whole"):
            write_volume(noisy, tmp_path / f"v{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["V.NII.GZ", "V.NRRD", "V.nii", "V.1.MHA"])
def test_a_temporary_name_is_hidden_and_its_suffix_in_small_letters(tmp_path, name):
    partial = temporary_name(tmp_path / name)
    assert partial.parent == tmp_path and partial.name.startswith(".partial-")
    assert partial.name.endswith(name[2:].lower())


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot be asked for a process without harm")
def test_what_a_killed_process_left_of_an_output_goes_when_it_is_written_again(tmp_path):
    output = tmp_path / "12-x.nrrd"
    mine, (before, after) = temporary_name(output), temporary_name(output).name.split(str(os.getpid()))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    stale, folder = tmp_path / f"{before}{dead.pid}{after}", tmp_path / f"{before}{dead.pid}-series"
    alive = tmp_path / f"{before}{os.getppid()}{after}"
    elsewhere = tmp_path / stale.name.replace(before, ".partial-0123abcd-")
    other = tmp_path / stale.name.replace("-12-x", "-y")
    for path in (stale, alive, elsewhere, other):
        path.write_text("half")
    folder.mkdir()
    (folder / "0001.dcm").write_text("half")
    write_text(output, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([output, alive, elsewhere, other, folder])
    remove_what_died(tmp_path / "series")
    assert not folder.exists() and not mine.exists() and alive.exists()


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_names_in_capitals_are_written(tmp_path, noisy, suffix):
    from SuperResolutionLib.files.reading import read_volume

    write_volume(noisy, tmp_path / f"V{suffix.upper()}")
    assert [path.name for path in tmp_path.iterdir()] == [f"V{suffix.upper()}"]
    np.testing.assert_array_equal(read_volume(tmp_path / f"V{suffix.upper()}").voxels, noisy.voxels)


# ---------------------------------------------------------------- outputs that are inputs


@pytest.fixture
def scan(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "scan.nrrd").write_bytes(b"a scan")
    os.symlink(tmp_path / "scan.nrrd", tmp_path / "link.nrrd")
    os.link(tmp_path / "scan.nrrd", tmp_path / "hard.nrrd")
    os.symlink(tmp_path, tmp_path / "sub" / "up", target_is_directory=True)
    return tmp_path / "scan.nrrd"


@pytest.mark.parametrize("name", ["scan.nrrd", "link.nrrd", "hard.nrrd", "sub/../scan.nrrd", "sub/up/scan.nrrd"])
def test_an_output_that_is_the_input_is_refused_by_whatever_path(scan, tmp_path, name):
    with pytest.raises(InputError, match="is the input"):
        check_apart(scan, [tmp_path / "out.nrrd", tmp_path / name])
    with pytest.raises(InputError, match="is the input"):
        check_apart(tmp_path / name, [scan])


@pytest.mark.parametrize("name", ["out.nrrd", "sub/up/out.nrrd", "sub/../out.nrrd", "OUT.nrrd"])
def test_two_outputs_of_one_name_are_refused(scan, tmp_path, name):
    with pytest.raises(InputError, match="Two outputs"):
        check_apart(scan, [tmp_path / "out.nrrd", tmp_path / name])


def test_parts_of_an_input_of_several_files_are_refused_and_other_files_are_not(tmp_path):
    (tmp_path / "series").mkdir()
    for name in ("series/0001.dcm", "series/report.json", "v.mhd", "v.raw", "w.raw"):
        (tmp_path / name).write_bytes(b"content")
    for source, output in (("series", "series/0001.dcm"), ("v.mhd", "v.raw")):
        with pytest.raises(InputError, match="a part of it"):
            check_apart(tmp_path / source, [tmp_path / output])
    for source, output in (("series", "series/report.json"), ("series", "series/new.nrrd"), ("v.mhd", "w.raw")):
        check_apart(tmp_path / source, [tmp_path / output])


@pytest.mark.parametrize("option", ["added", "error", "report_file"])
@pytest.mark.parametrize("which", ["scan", "output"])
def test_upscaling_refuses_it_before_the_work_and_the_scan_keeps_its_bytes(tmp_path, phantom, option, which):
    write_volume(phantom, tmp_path / "scan.nrrd")
    before = (tmp_path / "scan.nrrd").read_bytes()
    request = UpscaleRequest(factor=2, quality="fast", device="cpu", error=option == "error")
    with pytest.raises(InputError, match=ONE_SENTENCE):
        upscale_file(
            tmp_path / "scan.nrrd",
            tmp_path / "output.nrrd",
            request,
            progress=lambda *step: pytest.fail("the work began"),
            **{option: tmp_path / f"{which}.nrrd"},
        )
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nrrd"]
    assert (tmp_path / "scan.nrrd").read_bytes() == before


def test_where_the_report_cannot_be_written_the_old_result_and_its_report_stay(tmp_path, phantom, monkeypatch):
    write_volume(phantom.cropped((0, 0, 0), (20, 20, 1)), tmp_path / "scan.nrrd")
    for name in ("out.nrrd", "out.json"):
        (tmp_path / name).write_text("old")
    from SuperResolutionLib.upscaling import file_to_file

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_to_file.Path, "write_text", fail)
    request = UpscaleRequest(factor=2, quality="fast", device="cpu")
    with pytest.raises(InputError, match="No space left"):
        upscale_file(tmp_path / "scan.nrrd", tmp_path / "out.nrrd", request, report_file=tmp_path / "out.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.nrrd", "scan.nrrd"]
    assert (tmp_path / "out.nrrd").read_text() == (tmp_path / "out.json").read_text() == "old"
