"""What the panel's lists offer."""

import json
import logging
import sys

import pytest
from SuperResolutionWidgets.DeviceCatalog import DeviceCatalog
from SuperResolutionWidgets.ModelCatalog import ModelCatalog


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("quality", ["fast", "standard", "best"])
def test_the_automatic_model_is_the_one_that_the_engine_takes(factor, quality):
    from SuperResolutionLib.bundles import choose_model

    assert ModelCatalog().chosen(factor, "", quality).name == choose_model(factor, quality).name


def test_a_folder_that_is_no_model_is_left_out_and_logged(tmp_path, caplog):
    _model(tmp_path, "good", ["fidelity", "perceptual"])
    broken = tmp_path / "broken" / "configs"
    broken.mkdir(parents=True)
    (broken / "metadata.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        models = ModelCatalog(tmp_path).models(2)
    assert [(model.name, model.has_detail) for model in models] == [("good", True)]
    assert "broken" in caplog.text


def test_without_models_nothing_is_chosen(tmp_path):
    assert ModelCatalog(tmp_path).chosen(4, "", "standard") is None


def test_listing_models_and_devices_does_not_import_torch(root):
    import subprocess

    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'SuperResolution')!r}]\n"
        "from SuperResolutionWidgets.ModelCatalog import ModelCatalog\n"
        "from SuperResolutionWidgets.DeviceCatalog import DeviceCatalog\n"
        "from SuperResolutionWidgets.Forecast import Forecast\n"
        "assert ModelCatalog().models(2) and DeviceCatalog().devices()\n"
        "print([name for name in ('torch', 'monai', 'safetensors', 'slicer') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_gpus_are_listed_by_index_with_their_memory():
    lines = ["0, NVIDIA H200, 143771", "1, NVIDIA Thing, [N/A]"]
    assert DeviceCatalog(lambda: lines, platform="linux").devices() == [
        ("auto", "Automatic"),
        ("cpu", "CPU"),
        ("cuda:0", "GPU 0: NVIDIA H200, 140 GB"),
        ("cuda:1", "GPU 1: NVIDIA Thing, memory not known"),
    ]


def test_a_mac_offers_its_gpu():
    assert DeviceCatalog(list, platform="darwin").devices()[-1] == ("mps", "Apple GPU")


def test_without_nvidia_smi_there_are_no_gpus(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert DeviceCatalog(platform="linux").devices() == list(DeviceCatalog.ALWAYS)


def _model(folder, name, weights):
    configs = folder / name / "configs"
    configs.mkdir(parents=True)
    block = {
        "factor": 2,
        "modality": "MR",
        "quality": "fast",
        "network": {"name": "CompactNet", "arguments": {}},
        "default_detail": 0.25,
        "weights": {kind: {"file": f"models/{kind}.safetensors", "sha256": ""} for kind in weights},
        "acquisition": {"held_band": 0.25},
    }
    (configs / "metadata.json").write_text(json.dumps({"description": "Test", "super_resolution": block}))
