"""Stage 2 trains both networks against each other, on the right images, with every switch."""

import math

import pytest
import safetensors.torch
import torch
from ignite.engine import Events
from monai.engines import AdversarialTrainer
from monai.inferers import SimpleInferer
from torch.nn import functional as F
from training_log import log_of

from SuperResolutionLib.models.networks import CompactNet
from Training.losses.adversarial import AdversarialLoss
from Training.losses.critic_view import CriticView
from Training.losses.discriminators import PatchDiscriminator
from Training.losses.terms import ImageTerms
from Training.losses.vgg19 import VGG19
from Training.runs.checkpoints import read_checkpoint
from Training.runs.stage2 import AdversarialUpdate
from Training.runs.steps import WeightAverage

LOSS = [{"until": 1.0, "l1": 1.0, "adversarial": 5e-3}]


class Witness(PatchDiscriminator):
    """A discriminator that remembers which images it was trained on, and with which dropout."""

    def __init__(self):
        super().__init__(width=2)
        self.judged, self.shares = [], []

    def forward(self, image):
        self.judged.append(image)
        self.shares.append(next(module.p for module in self.modules() if isinstance(module, torch.nn.Dropout)))
        return super().forward(image)


def adversary(iterations=4, loss=LOSS, relativistic=False, rate=1e-3, dropout_until=0.5, view=None, noise=0.0):
    """Return a trainer over ``iterations`` fixed batches, its generator and its witness."""
    generator, discriminator = CompactNet(2, 4, 1), Witness()
    adversarial, terms = AdversarialLoss(relativistic), ImageTerms(2, torch.device("cpu"), 0.25)
    average = WeightAverage(CompactNet(2, 4, 1), 0.0)
    update = AdversarialUpdate(
        loss,
        adversarial,
        iterations,
        lambda iteration: rate,
        average,
        discriminator,
        0.5,
        dropout_until,
        view or CriticView(2),
        noise,
    )
    fine = torch.rand(iterations, 2, 1, 32, 32)
    trainer = AdversarialTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[{"image": F.avg_pool2d(truth, 2), "label": truth} for truth in fine],
        g_network=generator,
        g_optimizer=torch.optim.Adam(generator.parameters()),
        g_loss_function=adversarial.generator,
        recon_loss_function=terms,
        d_network=discriminator,
        d_optimizer=torch.optim.Adam(discriminator.parameters()),
        d_loss_function=adversarial.discriminator,
        g_inferer=SimpleInferer(),
        d_inferer=SimpleInferer(),
        iteration_update=update,
        decollate=False,
    )
    return trainer, generator, discriminator, fine


@pytest.fixture(scope="module")
def perceptual_run(train, tiny_stage2, tmp_path_factory):
    """The folder of a run of stage 2 as it ships, but for its size."""
    folder = tmp_path_factory.mktemp("perceptual")
    train("stage2", tiny_stage2, folder)
    return folder


def test_a_run_leaves_both_networks_both_optimisers_and_the_architecture_of_stage_1(perceptual_run, fidelity_run):
    state, begun = (read_checkpoint(folder / "checkpoint.pt") for folder in (perceptual_run, fidelity_run))
    assert state["architecture"] == begun["architecture"]
    assert state["iteration"] == 12
    PatchDiscriminator(width=4).load_state_dict(state["discriminator"])
    assert state["optimiser"]["state"][0]["step"] == state["discriminator_optimiser"]["state"][0]["step"] == 12
    assert state["network"].keys() == state["average"].keys() == begun["average"].keys()
    moved = [(state["average"][key] - value).abs().max() for key, value in begun["average"].items()]
    assert 0 < max(moved) < 0.02  # it began with stage 1's averaged weights


def test_a_run_logs_both_networks_losses(perceptual_run):
    for record in log_of(perceptual_run):
        assert all(math.isfinite(record[name]) for name in ("loss", "l1", "adversarial", "discriminator"))
        assert record["loss"] == pytest.approx(record["l1"] + 5e-3 * record["adversarial"], rel=1e-4)
    rates = [record["learning_rate"] for record in log_of(perceptual_run)]
    assert rates == pytest.approx([8.75e-5, 3.75e-5, 1.5625e-5], rel=1e-4)  # means over halvings after 3, 6 and 9


def test_the_discriminator_is_trained_on_the_fine_images_and_the_generators_answers():
    trainer, generator, discriminator, fine = adversary(iterations=2, rate=0.0)
    trainer.run()
    fakes, reals = discriminator.judged[::2], discriminator.judged[1::2]
    for fake, real, truth in zip(fakes, reals, fine):
        assert torch.equal(real, truth)
        assert torch.equal(fake, generator(F.avg_pool2d(truth, 2)).detach())
        assert not fake.requires_grad


def test_the_discriminator_judges_what_the_view_shows():
    def view(image, truth):
        return image[..., 2:], truth[..., 2:]

    trainer, generator, discriminator, fine = adversary(iterations=1, rate=0.0, view=view)
    trainer.run()
    fake, real = discriminator.judged
    assert torch.equal(real, fine[0][..., 2:])
    assert torch.equal(fake, generator(F.avg_pool2d(fine[0], 2)).detach()[..., 2:])


def test_both_images_reach_the_discriminator_under_the_same_noise():
    trainer, generator, discriminator, fine = adversary(iterations=1, rate=0.0, noise=0.5)
    trainer.run()
    fake, real = discriminator.judged
    assert (real - fine[0]).std().item() == pytest.approx(0.5, rel=0.1)
    torch.testing.assert_close(fake - real, generator(F.avg_pool2d(fine[0], 2)).detach() - fine[0], atol=1e-5, rtol=0)


def test_each_step_moves_one_network_and_leaves_both_trainable():
    trainer, generator, discriminator, _ = adversary(iterations=1)
    before = {key: value.clone() for key, value in discriminator.state_dict().items()}
    with torch.no_grad():
        starts = [parameter.clone() for parameter in generator.parameters()]
    trainer.run()
    assert any(not torch.equal(start, parameter) for start, parameter in zip(starts, generator.parameters()))
    assert any(not torch.equal(before[key], value) for key, value in discriminator.named_parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_a_generator_without_other_terms_learns_to_be_taken_for_real():
    trainer, _, discriminator, _ = adversary(
        iterations=30, loss=[{"until": 1.0, "adversarial": 1.0}], rate=3e-3, dropout_until=0.0
    )
    trainer.state.d_optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])  # the discriminator stays
    trainer.data_loader = trainer.data_loader[:1] * 30
    before = [parameter.clone() for parameter in discriminator.parameters()]
    losses = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"]))
    trainer.run()
    assert all(torch.equal(old, new) for old, new in zip(before, discriminator.parameters()))
    assert losses[-1] < losses[0] - 0.005


def test_dropout_is_on_until_its_share_of_the_run_and_then_off():
    trainer, _, discriminator, _ = adversary(iterations=4, dropout_until=0.75)
    trainer.run()
    assert discriminator.shares[::2] == [0.5, 0.5, 0.5, 0.0]


@pytest.mark.parametrize("relativistic", [False, True])
def test_the_logged_terms_are_those_of_the_losses(relativistic):
    loss = [{"until": 1.0, "l1": 1.0, "adversarial": 0.5, "feature_matching": 2.0, "consistency": 3.0}]
    trainer, *_ = adversary(iterations=1, loss=loss, relativistic=relativistic)
    outputs = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: outputs.append(engine.state.output))
    trainer.run()
    (found,) = outputs
    assert all(math.isfinite(value) for value in found.values())
    assert not any(value.requires_grad for value in found.values() if torch.is_tensor(value))
    expected = sum(weight * found[name] for name, weight in loss[0].items() if name != "until")
    assert float(found["loss"]) == pytest.approx(float(expected), rel=1e-5)
    assert found["feature_matching"] > 0 and found["discriminator"] > 0


def test_every_improvement_is_a_switch_and_all_go_together(train, tiny_stage2, tmp_path):
    torch.manual_seed(0)
    weights = {key: value.contiguous() for key, value in VGG19(width=2).state_dict().items()}
    safetensors.torch.save_file(weights, tmp_path / "vgg.safetensors")
    terms = {"charbonnier": 1.0, "adversarial": 5e-3, "perceptual": 1e-3, "feature_matching": 0.1, "consistency": 1.0}
    terms.update(lattice=50.0, steepness=0.5)
    settings = {
        **tiny_stage2,
        "iterations": 4,
        "relativistic": False,
        "spectral_norm": True,
        "smooth": 0.04,
        "shifted_view": True,
        "instance_noise": 0.05,
        "perceptual_layers": [4, 8],
        "bfloat16": True,
        "average_decay": 0.0,
        "perceptual_weights": str(tmp_path / "vgg.safetensors"),
        "stage2_loss": [{"until": 1.0, **terms}],
    }
    train("stage2", settings, tmp_path)
    (record,) = log_of(tmp_path)
    assert record["loss"] == pytest.approx(sum(terms[name] * record[name] for name in terms), rel=1e-3)
    state = read_checkpoint(tmp_path / "checkpoint.pt")
    assert any("parametrizations" in key for key in state["discriminator"])
    for key, value in state["network"].items():
        assert torch.equal(value, state["average"][key])
