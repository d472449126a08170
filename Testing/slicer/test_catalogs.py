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


def test_without_a_factor_all_models_are_offered_and_none_is_chosen():
    assert {model.factor for model in ModelCatalog().models(None)} == {2, 4}
    assert ModelCatalog().chosen(None, "", "standard") is None
    assert ModelCatalog().chosen(None, "mri-x2-compact", "standard").factor == 2


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


def catalog(lines, built="cuda", platform="linux"):
    return DeviceCatalog(lambda: lines, lambda: built, platform)


def test_gpus_are_listed_by_index_with_their_free_memory():
    devices = catalog(["0, NVIDIA H200, 122880, 143771", "1, NVIDIA Thing, [N/A], [N/A]"]).devices()
    assert [(device.name, device.label) for device in devices] == [
        ("auto", "Automatic"),
        ("cpu", "CPU"),
        ("cuda:0", "GPU 0: H200, 120 GB free"),
        ("cuda:1", "GPU 1: Thing"),
    ]
    assert devices[2].note == "Runs on GPU 0: NVIDIA H200, 120 of 140 GB free."
    assert devices[3].note == "Runs on GPU 1: NVIDIA Thing, memory not known."
    assert devices[0].note == devices[2].note


GPU = "0, NVIDIA H200, 122880, 143771"


@pytest.mark.parametrize(
    "lines, built, reason",
    [
        ([], "cuda", "CPU: no NVIDIA GPU was found"),
        ([GPU], "", "CPU: the installed PyTorch is built without GPU support"),
        ([GPU], None, "PyTorch is not installed yet"),
        ([], "hip", "AMD GPU"),
    ],
)
def test_automatic_says_why_it_is_the_cpu(lines, built, reason):
    assert reason in catalog(lines, built).devices()[0].note


def test_a_mac_offers_its_gpu():
    devices = catalog([], platform="darwin").devices()
    assert (devices[-1].name, devices[-1].label) == ("mps", "Apple GPU")
    assert "Apple" in devices[0].note


def test_without_nvidia_smi_there_are_no_gpus(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert [device.name for device in DeviceCatalog(platform="linux").devices()] == ["auto", "cpu"]


@pytest.mark.parametrize(
    "lines, built",
    [
        (["cuda: Optional[str] = '12.8'", "hip: Optional[str] = None"], "cuda"),
        (["cuda: Optional[str] = None", "hip: Optional[str] = '6.2'"], "hip"),
        (["cuda: Optional[str] = None", "hip: Optional[str] = None"], ""),
        (["cuda = '11.8'"], "cuda"),
    ],
)
def test_what_torch_is_built_for_is_read_without_importing_it(tmp_path, monkeypatch, lines, built):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('must not be imported')")
    (package / "version.py").write_text("__version__ = '2.9'\n" + "\n".join(lines))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert DeviceCatalog(lambda: [GPU], platform="linux").devices()[0].note == catalog([GPU], built).devices()[0].note


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
