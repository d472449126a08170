"""``python -m Training.degradation.learned`` writes the degradation and its figure, and says bad input in one line."""

import pytest

from Training.degradation.learned import patches
from Training.degradation.learned.__main__ import main
from Training.degradation.learned.blur_and_noise import LearnedDegradation

FACTOR = 2


def test_the_program_writes_the_degradation_and_its_figure(
    tmp_path, capsys, monkeypatch, degradation, textured_slices, coarse_slices, scan
):
    monkeypatch.setattr(patches, "PATCHES", 100)
    sharp = tmp_path / "sharp"
    sharp.mkdir()
    scan(sharp / "a.nii.gz", textured_slices(1), 0.5)
    scan(tmp_path / "coarse.nii.gz", coarse_slices(degradation(), 9), 1.0)
    arguments = [tmp_path / "coarse.nii.gz", "--sharp", sharp, "--iterations", 1, "--out", tmp_path / "d.json"]
    assert main([*map(str, arguments), "--figure", str(tmp_path / "d.png")]) == 0
    assert LearnedDegradation.load(tmp_path / "d.json").spacing == pytest.approx((1.0, 1.0))
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    assert "mm down the rows" in capsys.readouterr().out


def test_the_program_says_bad_input_in_one_line(tmp_path, capsys):
    arguments = [tmp_path / "absent.nii.gz", "--sharp", tmp_path, "--out", tmp_path / "d.json"]
    assert main([str(a) for a in arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
