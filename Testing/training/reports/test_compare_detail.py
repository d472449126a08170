"""The comparison of details scores the weights of a model folder on scans, the truth among them, and draws them."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.networks import CompactNet
from Training.losses.vgg19 import VGG19
from Training.reports.compare_detail import main, table
from Training.reports.export_bundle import add_perceptual, export_bundle


@pytest.fixture
def model(tmp_path):
    """A model folder: cubic interpolation as fidelity weights, and as perceptual ones a hatching of SD 0.1 on it."""
    network = CompactNet(2, 4, 1)
    state = {key: torch.zeros_like(value) for key, value in network.state_dict().items()}
    architecture = {"factor": 2, "name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    hatching = torch.tensor([0.1, -0.1, -0.1, 0.1])
    for kind in ("fidelity", "perceptual"):
        average = {**state, "tail.bias": hatching if kind == "perceptual" else 0 * hatching}
        checkpoint = {"architecture": architecture, "average": average, "iteration": 1}
        torch.save(checkpoint, tmp_path / f"{kind}.pt")
    export_bundle(tmp_path / "fidelity.pt", tmp_path / "model", "A tiny model", "by hand")
    add_perceptual(tmp_path / "perceptual.pt", tmp_path / "model", "by hand")
    return tmp_path / "model"


@pytest.fixture
def scan(tmp_path):
    """A smooth disc with an edge through its middle, and grain."""
    k, j, i = np.indices((3, 64, 64))
    voxels = ((j - 32) ** 2 + (i - 32) ** 2 < 30**2) * (500 + 400 * (i > 40))
    voxels = voxels + np.random.default_rng(0).normal(0, 4, voxels.shape)
    write_volume(Volume(voxels.clip(0).astype(np.int16), np.diag([1, 1, 4, 1.0])), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_every_detail_is_scored_against_the_truth_and_drawn(model, scan, tmp_path, monkeypatch):
    torch.manual_seed(0)
    weights = {key: value.contiguous() for key, value in VGG19(width=2).state_dict().items()}
    safetensors.torch.save_file(weights, tmp_path / "vgg.safetensors")
    arguments = [scan, "--model", model, "--degradations", "area", "--vgg", tmp_path / "vgg.safetensors"]
    monkeypatch.setattr("sys.argv", ["compare_detail", *map(str, arguments), "--out", str(tmp_path / "out")])
    main()
    rows = {row["method"]: row for row in json.loads((tmp_path / "out" / "records.json").read_text())}
    assert list(rows) == ["bicubic", "detail 0", "detail 0.5", "detail 1", "truth"]
    assert rows["detail 0"]["psnr"] == pytest.approx(rows["bicubic"]["psnr"], abs=0.3)  # the program holds a band
    assert "psnr" not in rows["truth"]
    assert rows["truth"]["gms"] == pytest.approx(1) and rows["truth"]["features"] == 0
    assert rows["truth"]["gradient"] == pytest.approx(1) and rows["truth"]["edges"] == pytest.approx(1)
    assert rows["detail 0"]["edges"] < 0.98
    assert rows["detail 0"]["psnr"] > rows["detail 0.5"]["psnr"] > rows["detail 1"]["psnr"]
    assert rows["detail 0"]["peak"] < 3 and rows["detail 1"]["peak"] > 20
    assert [rows[f"detail {detail}"]["amplitude"] for detail in ("0", "0.5", "1")] == pytest.approx([0, 5, 10], abs=0.2)
    text = (tmp_path / "out" / "table.md").read_text()
    assert text.count("| detail ") == 3 and f"{rows['detail 1']['psnr']:.2f}" in text
    assert (tmp_path / "out" / "figure.png").stat().st_size > 10_000


def test_without_a_vgg_everything_but_the_features_is_scored(model, scan, tmp_path, monkeypatch):
    arguments = [scan, "--model", model, "--degradations", "area", "--details", "0", "--out", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["compare_detail", *map(str, arguments)])
    main()
    text = (tmp_path / "out" / "table.md").read_text()
    assert "edges" in text and "features" not in text


def test_the_table_holds_the_means_over_the_volumes():
    rows = [{"degradation": "area", "method": "bicubic", "volume": v, "psnr": p} for v, p in (("a", 20), ("b", 21))]
    assert "| bicubic | 20.50 |" in table(rows)
