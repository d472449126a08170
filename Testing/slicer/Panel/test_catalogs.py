"""What the panel's lists offer."""

import json
import logging
import sys

import pytest
from SuperResolutionWidgets.Panel.DeviceCatalog import DeviceCatalog
from SuperResolutionWidgets.Panel.ModelCatalog import ModelCatalog
from SuperResolutionWidgets.Panel.Purpose import Purpose


@pytest.mark.parametrize("purpose", [Purpose.TIMES_2, Purpose.TIMES_4])
@pytest.mark.parametrize("quality", ["fast", "standard", "best"])
def test_the_automatic_model_is_the_one_that_the_engine_takes(purpose, quality):
    from SuperResolutionLib.models.bundles import choose_model

    assert ModelCatalog().chosen(purpose, "", quality).name == choose_model(purpose.factor, quality).name


def test_a_folder_that_is_no_model_is_left_out_and_logged(tmp_path, caplog):
    _model(tmp_path, "good", ["fidelity", "perceptual"])
    broken = tmp_path / "broken" / "configs"
    broken.mkdir(parents=True)
    (broken / "metadata.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        models = ModelCatalog(tmp_path).models(Purpose.TIMES_2)
    assert [(model.name, model.has_detail) for model in models] == [("good", True)]
    assert "broken" in caplog.text


def test_models_for_the_slice_plane_and_for_new_slices_are_offered_where_they_serve(tmp_path):
    _model(tmp_path, "flat", ["fidelity"])
    _model(tmp_path, "through", ["fidelity"], axes="through the slices")
    catalog = ModelCatalog(tmp_path)
    names = {purpose: [model.name for model in catalog.models(purpose)] for purpose in Purpose}
    assert names == {
        Purpose.TIMES_2: ["flat"],
        Purpose.TIMES_4: [],
        Purpose.SPACING: ["flat"],
        Purpose.ISOTROPIC: ["through"],
        Purpose.FUSION: [],
    }
    assert catalog.chosen(Purpose.ISOTROPIC, "", "standard").name == "through"
    assert catalog.chosen(Purpose.SPACING, "", "standard") is None
    assert catalog.chosen(Purpose.SPACING, "flat", "standard").name == "flat"


@pytest.mark.parametrize("purpose", list(Purpose))
def test_without_models_nothing_is_chosen(tmp_path, purpose):
    assert ModelCatalog(tmp_path).chosen(purpose, "", "standard") is None


def test_listing_models_and_devices_does_not_import_torch(root):
    import subprocess

    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'SuperResolution')!r}]\n"
        "from SuperResolutionWidgets.Panel.ModelCatalog import ModelCatalog\n"
        "from SuperResolutionWidgets.Panel.DeviceCatalog import DeviceCatalog\n"
        "from SuperResolutionWidgets.Forecast.Forecaster import Forecaster\n"
        "from SuperResolutionWidgets.Panel.Purpose import Purpose\n"
        "assert ModelCatalog().models(Purpose.TIMES_2) and DeviceCatalog().devices()\n"
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


def _model(folder, name, weights, axes="slice plane"):
    configs = folder / name / "configs"
    configs.mkdir(parents=True)
    block = {
        "axes": axes,
        "factor": 2,
        "modality": "MR",
        "quality": "fast",
        "network": {"name": "CompactNet", "arguments": {}},
        "default_detail": 0.25,
        "weights": {kind: {"file": f"models/{kind}.safetensors", "sha256": ""} for kind in weights},
        "acquisition": {"held_band": 0.25},
    }
    (configs / "metadata.json").write_text(json.dumps({"description": "Test", "super_resolution": block}))
