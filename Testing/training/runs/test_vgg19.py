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
def run(train, tiny_vgg19, tmp_path_factory):
    """The folder of a run that nothing broke."""
    folder = tmp_path_factory.mktemp("vgg19")
    train("vgg19", tiny_vgg19, folder)
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


def test_a_run_that_ended_without_its_file_writes_it_when_run_again(run, train, tiny_vgg19, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes())
    train("vgg19", tiny_vgg19, tmp_path)
    assert (tmp_path / "vgg19.safetensors").read_bytes() == (run / "vgg19.safetensors").read_bytes()
    assert (tmp_path / "checkpoint.pt").read_bytes() == (run / "checkpoint.pt").read_bytes()


def test_it_runs_by_monais_command_too(monai_bundle, tiny_vgg19, tmp_path):
    overrides = {**tiny_vgg19, "iterations": 2, "tasks": list(TASKS), "out": str(tmp_path)}
    process = monai_bundle(["base.yaml", "vgg19.yaml"], overrides)
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
    accuracy = TaskAccuracy(oracle, patches, 100).measures(torch.device("cpu"))["accuracy"]
    first = sum(int(patches[number]["label"][0]) == 0 for number in range(100))
    assert accuracy == {"contrast": first / 100, "degradation": 1.0}


def test_unknown_tasks_are_refused():
    for tasks in ([], ["anatomy"]):
        with pytest.raises(ValueError, match="contrast, degradation"):
            Classifier(2, tasks, {"anatomy": 3})


def test_slices_smaller_than_a_patch_are_refused(data):
    with pytest.raises(ValueError, match="as large as a patch of 64"):
        LabelledPatches(data, data / "datalist.json", 64)
