"""The measure of what networks do to soft scans."""

import pytest
import torch

from SuperResolutionLib.acquisition.operators import OPERATORS
from Training.data.slice_pairs import ValidationSlices
from Training.reports.export_bundle import export_bundle
from Training.reports.soft_scans import main, softened_pairs


@pytest.fixture(scope="module")
def slices(data):
    return ValidationSlices(data, data / "datalist.json", factor=2, slices=2)


def test_without_blur_the_pairs_are_the_validations(slices):
    softened = softened_pairs(slices, 2, 0.0, ("area",))
    (pair,) = [pair for pair in slices if pair["name"] == "area"]
    torch.testing.assert_close(softened[0]["label"], pair["label"])
    torch.testing.assert_close(softened[0]["image"], pair["image"])


def test_truth_and_coarse_slice_are_those_of_the_same_soft_scan(slices):
    pairs = {pair["name"]: pair for pair in softened_pairs(slices, 2, 3.0, ("area", "kspace"))}
    sharp = next(iter(slices))["label"]
    assert set(pairs) == {"area", "kspace"}
    for name, pair in pairs.items():
        assert pair["label"].diff(dim=-1).abs().mean() < 0.7 * sharp.diff(dim=-1).abs().mean()
        torch.testing.assert_close(pair["image"], OPERATORS[name](pair["label"], 2))


def test_the_program_prints_a_gain_per_network_width_and_operator(fidelity_run, data, tmp_path, monkeypatch, capsys):
    export_bundle(fidelity_run / "checkpoint.pt", tmp_path, "A tiny model", "on nothing, in no time")
    options = ["--data", str(data), "--datalist", str(data / "datalist.json"), "--slices", "1"]
    monkeypatch.setattr("sys.argv", ["soft_scans", str(fidelity_run / "checkpoint.pt"), str(tmp_path), *options])
    main()
    lines = [line for line in capsys.readouterr().out.splitlines() if "FWHM" in line]
    assert len(lines) == 10 and all("area" in line and "kspace" in line for line in lines)
