"""Each configuration runs by ``python -m monai.bundle run`` and by the short command, and is a bundle of MONAI's."""

import itertools
import json

import pytest
import safetensors.torch
from monai.bundle import ConfigParser, ConfigWorkflow

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.models.networks import NETWORKS
from SuperResolutionLib.version import VERSION
from Training.__main__ import main
from Training.losses.vgg19 import VGG19
from Training.runs.checkpoints import read_checkpoint

# stage1.yaml and stage2.yaml run by monai.bundle in test_resume, with multi_gpu.yaml in test_distributed.


OVERRIDES = (
    "ct",
    "gpu",
    "multi_gpu",
    "perceptual",
    "rrdb",
    "seed",
    "short_budget",
    "srgan",
    "through_plane",
    "through_plane_ct",
)


@pytest.fixture(scope="module")
def configs(repository):
    return repository / "Training" / "configs"


@pytest.fixture
def vgg19(tmp_path):
    """The path of a VGG19 of width 2 that was never trained."""
    path = tmp_path / "vgg19.safetensors"
    safetensors.torch.save_file(VGG19(2).state_dict(), path)
    return str(path)


def settings_of(*files):
    return {key: value for file in files for key, value in ConfigParser.load_config_file(str(file)).items()}


def test_evaluate_and_inference_run_by_monais_command(monai_bundle, fidelity_run, data, tmp_path):
    model = {"model": str(fidelity_run / "checkpoint.pt"), "threads": 1}
    folders = {"input_dir": str(data), "output_dir": str(tmp_path / "upscaled")}
    scans = {"dataset_dir": str(data), "out": str(tmp_path / "evaluation"), "slices": 2, "degradations": ["area"]}
    processes = [
        monai_bundle(["inference.json", "inference.yaml"], {**model, **folders}),
        monai_bundle(["evaluate.yaml"], {**model, **scans}),
    ]
    for process in processes:
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
    for name in ("first", "second"):
        assert read_volume(tmp_path / "upscaled" / f"{name}.nii.gz").dimensions == (104, 96, 6)
    assert {path.name for path in (tmp_path / "evaluation").iterdir()} == {"table.md", "records.json", "figure.png"}
    records = json.loads((tmp_path / "evaluation" / "records.json").read_text())
    assert {record["volume"] for record in records} == {"first.nii.gz", "second.nii.gz"}
    assert {record["method"] for record in records} >= {"bspline", "ours"}
    assert (fidelity_run / "model" / "configs" / "metadata.json").is_file()


def test_evaluate_and_inference_run_by_the_short_command_on_an_installed_model(data, tmp_path):
    volume = str(data / "first.nii.gz")
    output = str(tmp_path / "upscaled")
    main(["inference", "--model", "mri-x2-compact", "--input", str(data), "--output", output, "--threads", "1"])
    assert read_volume(tmp_path / "upscaled" / "first.nii.gz").dimensions == (104, 96, 6)
    arguments = ["--set=slices=1", "--set=degradations=['area']", "--set=planes=ij", f"--set=files=['{volume}']"]
    main(["evaluate", "--data", str(data), "--model", "mri-x2-compact", "--out", str(tmp_path / "new"), *arguments])
    assert "Nearest" in (tmp_path / "new" / "table.md").read_text()


def test_the_larger_network_is_an_override(train, tiny_stage1, configs, tmp_path):
    settings = {key: value for key, value in tiny_stage1.items() if key != "generator"}
    small = {"generator#arguments#width": 4, "generator#arguments#growth": 2, "iterations": 1}
    train("stage1", {**settings, **small}, tmp_path, configs / "rrdb.yaml")
    architecture = read_checkpoint(tmp_path / "checkpoint.pt")["architecture"]
    assert architecture["name"] == "RRDBNet"
    arguments = {"width": 4, "growth": 2, "blocks": 2, "dense": "plain", "upsampling": "subpixel", "output": "residual"}
    assert architecture["arguments"] == arguments


def test_the_papers_two_stages_are_an_override(train, tiny, configs, vgg19, tmp_path):
    small = {key: value for key, value in tiny.items() if key not in ("average_decay", "patches")}
    del small["versions"]
    small.update({"iterations": 2, "every": 2})
    patches = [{"until": 1.0, "coarse_size": 8}]
    narrow = {"factor": 2, "generator#arguments#width": 2, "generator#arguments#growth": 2, "patches": patches}
    first, second = tmp_path / "first", tmp_path / "second"
    train("stage1", {**small, **narrow}, first, configs / "seed.yaml")
    assert json.loads((first / "log.jsonl").read_text()).keys() >= {"loss", "mse"}
    start = {"start_from": str(first / "checkpoint.pt"), "discriminator_def#width": 2, "perceptual_weights": vgg19}
    train("stage2", {**small, **start, "patches": patches}, second, configs / "seed.yaml")
    assert json.loads((second / "log.jsonl").read_text()).keys() >= {"loss", "mse", "adversarial", "perceptual"}
    loss = [{"until": 1.0, "mse": 1.0, "adversarial": 5e-3}]
    plain = {"start_from": start["start_from"], "stage2_loss": loss, "discriminator_def#width": 2}
    third = tmp_path / "third"
    fixed = {"discriminator_def#patch": 16, "patches": patches}
    train("stage2", {**small, **plain, **fixed}, third, configs / "seed.yaml", configs / "srgan.yaml")
    head = read_checkpoint(third / "checkpoint.pt")["discriminator"]["head.1.weight"]
    assert head.shape[1] == 16  # dense layers over the whole patch


def test_ct_and_short_budgets_are_overrides(train, tiny_stage1, configs, tmp_path):
    settings = {**tiny_stage1, "iterations": 1}
    train("stage1", settings, tmp_path / "ct", configs / "ct.yaml")
    train("stage1", settings, tmp_path / "short", configs / "short_budget.yaml")
    for name in ("ct", "short"):
        assert read_checkpoint(tmp_path / name / "checkpoint.pt")["iteration"] == 1


def test_the_recipe_for_a_gpu_runs_on_a_cpu_too(train, tiny_stage1, configs, tmp_path):
    settings = {key: value for key, value in tiny_stage1.items() if key != "batch"}
    train("stage1", {**settings, "iterations": 5, "every": 5, "workers": 1}, tmp_path, configs / "gpu.yaml")
    record = json.loads((tmp_path / "log.jsonl").read_text())
    assert record.keys() >= {"l1", "mse"}
    assert read_checkpoint(tmp_path / "checkpoint.pt")["iteration"] == 5


def test_the_recipe_of_the_perceptual_weights_runs(train, tiny_stage2, configs, vgg19, tmp_path):
    settings = {key: value for key, value in tiny_stage2.items() if key not in ("patches", "average_decay")}
    settings.update({"iterations": 12, "every": 12, "batch": 1, "perceptual_weights": vgg19})
    train("stage2", {**settings, "patches": [{"until": 1.0, "coarse_size": 16}]}, tmp_path, configs / "perceptual.yaml")
    record = json.loads((tmp_path / "log.jsonl").read_text())
    assert record.keys() >= {"mse", "lattice", "steepness", "perceptual", "adversarial", "discriminator"}


def test_the_papers_settings_are_those_of_the_paper(configs):
    seed = settings_of(configs / "seed.yaml")
    assert seed["generator"]["arguments"] == {
        "width": 64, "growth": 64, "blocks": 1, "dense": "nested", "upsampling": "pixel_shuffle", "output": "tanh"
    }  # fmt: skip
    assert seed["stage1_loss"] == [{"until": 1.0, "mse": 1.0}]
    assert seed["stage2_loss"] == [{"until": 1.0, "mse": 1.0, "adversarial": 5e-3, "perceptual": 1e-3}]
    assert (seed["learning_rate"]["first"], seed["learning_rate"]["last"], seed["betas"][0]) == (1e-4, 1.25e-5, 0.9)
    assert (seed["batch"], seed["iterations"], seed["patches"][0]["coarse_size"]) == (16, 60000, 24)
    assert not seed["relativistic"] and not seed["spectral_norm"] and seed["average_decay"] == 0
    assert seed["largest_gradient"] is None and seed["versions"] == 1
    assert seed["dropout"] > 0 and seed["dropout_until"] < 1


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_both_stages_have_what_monai_requires_of_a_training(configs, stage, tiny_stage1, tiny_stage2, tmp_path):
    settings = {**(tiny_stage1 if stage == "stage1" else tiny_stage2), "out": str(tmp_path)}
    files = [str(configs / f"{name}.yaml") for name in ("base", stage)]
    workflow = ConfigWorkflow(files, workflow_type="train", logging_file=False, **settings)
    workflow.initialize()
    assert workflow.check_properties() == []


def test_inference_has_what_monai_requires_of_one(configs, data, tmp_path):
    files = [str(configs / name) for name in ("inference.json", "inference.yaml")]
    settings = {"model": "mri-x2-compact", "input_dir": str(data), "output_dir": str(tmp_path)}
    workflow = ConfigWorkflow(files, workflow_type="inference", logging_file=False, **settings)
    workflow.initialize()
    assert workflow.check_properties() == []


def test_what_the_trainings_have_in_common_is_said_once(configs):
    files = [settings_of(configs / f"{name}.yaml") for name in ("base", "stage1", "stage2", "vgg19")]
    for one, other in itertools.combinations(files, 2):
        assert [key for key in one if key in other and one[key] == other[key]] == []


def test_overrides_name_only_what_a_stage_has(configs):
    known = settings_of(*(configs / f"{name}.yaml" for name in ("base", "stage1", "stage2")))
    for file in OVERRIDES:
        unknown = {key for key in settings_of(configs / f"{file}.yaml") if "#" not in key} - set(known)
        assert unknown <= {"device_ids", "finalize"}, file


def test_the_networks_that_ship_can_be_built(configs):
    for file in ("stage1.yaml", "rrdb.yaml", "seed.yaml"):
        generator = settings_of(configs / file)["generator"]
        for factor in (2, 4):
            NETWORKS[generator["name"]](factor=factor, **generator["arguments"])


def test_the_metadata_is_that_of_this_version(configs):
    metadata = json.loads((configs / "metadata.json").read_text())
    assert metadata["version"] == VERSION and VERSION in metadata["changelog"]
    for key in ("monai_version", "pytorch_version", "numpy_version", "network_data_format"):
        assert metadata[key]


def test_the_short_command_refuses_what_it_does_not_know(capsys):
    for arguments in ([], ["stage3"], ["stage2", "--factor", "2"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "unrecognized arguments: --factor 2" in capsys.readouterr().err
