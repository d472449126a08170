"""The perceptual network learns from free labels, is resumed, and its file gives its features again."""

import pytest
import safetensors.torch
import torch
from torch.utils.data import default_collate
from training_log import log_of

from Training.data.labelled_patches import TASKS, LabelledPatches
from Training.losses.perceptual import PerceptualLoss
from Training.losses.vgg19 import VGG19
from Training.runs.checkpoints import read_checkpoint
from Training.runs.vgg19 import Classifier, TaskAccuracy


@pytest.fixture(scope="module")
def settings(data):
    """What makes an iteration take milliseconds."""
    return {
        "dataset_dir": str(data),
        "datalist": str(data / "datalist.json"),
        "iterations": 60,
        "every": 20,
        "batch": 16,
        "patch": 48,
        "width": 4,
        "tasks": ["degradation"],
        "threads": 1,
    }


@pytest.fixture(scope="module")
def run(train, settings, tmp_path_factory):
    """The folder of a run that nothing broke."""
    folder = tmp_path_factory.mktemp("vgg19")
    train("vgg19", settings, folder)
    return folder


@pytest.fixture(scope="module")
def patches(data):
    return LabelledPatches(data, data / "datalist.json", 32, slices=2)


def test_it_learns_to_tell_degradations_apart(run):
    records = log_of(run)
    assert [record["iteration"] for record in records] == [20, 40, 60]
    assert records[-1]["accuracy"]["degradation"] > 0.3  # one in eight by chance
    assert records[-1]["degradation"] < records[0]["degradation"]


def test_its_file_is_a_vgg19_without_batch_normalisation_that_gives_the_same_features(run):
    state = read_checkpoint(run / "checkpoint.pt")
    classifier = Classifier(4, ["degradation"], {"degradation": 8})
    classifier.load_state_dict(state["network"])
    plain, image = VGG19(4), torch.rand(1, 1, 48, 48)
    plain.load_state_dict({k: v.float() for k, v in safetensors.torch.load_file(run / "vgg19.safetensors").items()})
    features = classifier.eval().network(image).detach()
    torch.testing.assert_close(plain(image), features, atol=0.02 * float(features.abs().max()), rtol=0)  # float16
    assert PerceptualLoss(run / "vgg19.safetensors")(image, torch.rand(1, 1, 48, 48)) > 0
    assert not list(run.glob("*.partial"))


def test_a_broken_run_ends_with_the_weights_of_an_unbroken_one(run, train, settings, monkeypatch, tmp_path):
    from Training.runs.checkpoints import Checkpoints

    save = Checkpoints.save

    def save_and_stop(self, engine):
        save(self, engine)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_and_stop)
        train("vgg19", settings, tmp_path)
    assert read_checkpoint(tmp_path / "checkpoint.pt")["iteration"] == 20
    assert not (tmp_path / "vgg19.safetensors").exists()
    train("vgg19", settings, tmp_path)
    whole, resumed = (read_checkpoint(folder / "checkpoint.pt")["network"] for folder in (run, tmp_path))
    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key
    assert (tmp_path / "vgg19.safetensors").read_bytes() == (run / "vgg19.safetensors").read_bytes()


def test_it_runs_by_monais_command_too(monai_bundle, settings, tmp_path):
    overrides = {**settings, "iterations": 2, "tasks": list(TASKS), "out": str(tmp_path)}
    process = monai_bundle(["vgg19.yaml"], overrides)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert {"vgg19.safetensors", "checkpoint.pt", "log.jsonl"} <= {path.name for path in tmp_path.iterdir()}


def test_patches_are_a_function_of_the_seed_and_their_number_and_carry_their_labels(patches, data):
    again = LabelledPatches(data, data / "datalist.json", 32, slices=2)
    other = LabelledPatches(data, data / "datalist.json", 32, seed=1, slices=2)
    batch = default_collate([patches[number] for number in range(40)])
    assert batch["image"].shape == (40, 1, 32, 32)
    assert patches.classes == {"contrast": 2, "degradation": 8}
    for column, task in enumerate(TASKS):
        labels = batch["label"][:, column]
        assert set(labels.tolist()) <= set(range(patches.classes[task])) and len(set(labels.tolist())) > 1
    assert torch.equal(patches[7]["image"], again[7]["image"])
    assert not torch.equal(patches[7]["image"], other[7]["image"])


def test_accuracy_counts_what_is_named_right(patches):
    class Oracle(Classifier):
        """Names every degradation right, and the first contrast always."""

        def forward(self, image):
            count = len(image)
            labels = torch.stack([patches[self.seen + n]["label"] for n in range(count)])
            self.seen += count
            return {
                "degradation": torch.nn.functional.one_hot(labels[:, 1], 8).float(),
                "contrast": torch.tensor([1.0, 0.0]).expand(count, 2),
            }

    oracle = Oracle(2, TASKS, patches.classes)
    oracle.seen = 0
    accuracy = TaskAccuracy(oracle, patches, 100).numbers(torch.device("cpu"))
    first = sum(int(patches[number]["label"][0]) == 0 for number in range(100))
    assert accuracy == {"contrast": first / 100, "degradation": 1.0}


def test_unknown_tasks_are_refused():
    for tasks in ([], ["anatomy"]):
        with pytest.raises(ValueError, match="contrast, degradation"):
            Classifier(2, tasks, {"anatomy": 3})


def test_slices_smaller_than_a_patch_are_refused(data):
    with pytest.raises(ValueError, match="as large as a patch of 64"):
        LabelledPatches(data, data / "datalist.json", 64)
