"""Stage 1: the fidelity network, trained with a pixel loss (SR-RRDB in the SRGAN-D paper).

    python -m Training.stage1 --data FOLDER --factor 4 --out runs/x4 --iterations 16000

Run it again with the same ``--out`` to go on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from SuperResolutionLib.acquisition import OPERATORS, add_rician_noise
from SuperResolutionLib.networks import NETWORKS
from Training.slice_pairs import Degradation, PairSampler, SliceStack, read_stacks

CONFIGS = Path(__file__).parent / "configs"


def pixel_loss(image: torch.Tensor, truth: torch.Tensor, terms: dict[str, float]) -> torch.Tensor:
    """Return the weighted sum of ``l1`` and ``mse`` of two image batches.

    L1 learns faster; its optimum is the median of what is likely, and PSNR asks for the mean, which a last phase of
    MSE learns (Lim et al. 2017 compare the two).
    """
    measures = {"l1": F.l1_loss, "mse": F.mse_loss}
    return sum(weight * measures[name](image, truth) for name, weight in terms.items())


def loss_terms(iteration: int, iterations: int, phases: list[dict]) -> dict[str, float]:
    """Return the loss of the first phase not ended, of ``[{"until": share of the iterations, "l1": 1.0}, ...]``."""
    phase = next(phase for phase in phases if iteration < phase["until"] * iterations)
    return {name: weight for name, weight in phase.items() if name != "until"}


def learning_rate(iteration: int, iterations: int, settings: dict) -> float:
    """Return the rate of a linear warm-up followed by half a cosine down to ``final_learning_rate``."""
    peak, last, warm_up = settings["learning_rate"], settings["final_learning_rate"], settings["warm_up"]
    if iteration < warm_up:
        return peak * (iteration + 1) / warm_up
    progress = (iteration - warm_up) / max(1, iterations - warm_up)
    return last + (peak - last) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


@torch.no_grad()
def update_average(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """Move the exponential moving average of the weights towards the network's."""
    for kept, current in zip(average.parameters(), network.parameters()):
        kept.lerp_(current, 1 - decay)


@torch.inference_mode()
def validate(network: torch.nn.Module, stacks: list[SliceStack], slices: int = 6) -> dict[str, float]:
    """Return, per degradation, the mean gain in dB of PSNR over cubic (bicubic) interpolation."""
    gains: dict[str, list[float]] = {}
    for stack in stacks:
        chosen = torch.linspace(0, len(stack.fine) - 1, slices + 2).long()[1:-1]
        truth = stack.fine[chosen, None].float()
        for name in [*OPERATORS, "kspace + 2 % noise"]:
            coarse = stack.coarse[name.split(" ")[0]][chosen, None].float()
            if "noise" in name:
                generator = torch.Generator().manual_seed(0)
                coarse = add_rician_noise(coarse - stack.zero, 0.02, generator) + stack.zero
            cubic = F.interpolate(coarse, size=truth.shape[-2:], mode="bicubic", align_corners=False)
            errors = [F.mse_loss(image, truth).item() for image in (network(coarse), cubic)]
            gains.setdefault(name, []).append(10 * math.log10(errors[1] / errors[0]))
    return {name: sum(values) / len(values) for name, values in gains.items()}


def train(arguments: argparse.Namespace) -> None:
    """Train until ``--iterations``, with a checkpoint every ``--every`` that holds all that the next step needs."""
    settings = json.loads(arguments.config.read_text(encoding="utf-8"))
    patches, optimiser_settings = settings["patches"][str(arguments.factor)], settings["optimiser"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    network = NETWORKS[settings["network"]["name"]](factor=arguments.factor, **settings["network"]["arguments"])
    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), fused=True)
    smallest = arguments.factor * (patches["coarse_size"] + 1)
    stacks = read_stacks(arguments.datalist, arguments.data, arguments.factor, arguments.seed, smallest=smallest)
    unseen = read_stacks(
        arguments.datalist, arguments.data, arguments.factor, arguments.seed, versions=1, section="validation"
    )
    sampler = PairSampler(
        stacks, Degradation(**settings["degradation"]), arguments.factor, patches["coarse_size"], arguments.seed
    )

    checkpoint, start = arguments.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        sampler.set_state(state["sampler"])
        start = state["iteration"]

    losses, began = [], time.monotonic()
    for iteration in range(start, arguments.iterations):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(iteration, arguments.iterations, optimiser_settings)
        coarse, fine = sampler.batch(patches["batch"])
        image = network(coarse.contiguous(memory_format=torch.channels_last))
        loss = pixel_loss(image, fine, loss_terms(iteration, arguments.iterations, settings["loss"]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        update_average(average, network, min(optimiser_settings["average_decay"], (1 + iteration) / (10 + iteration)))
        losses.append(loss.item())
        done = iteration + 1
        if done % arguments.every == 0 or done == arguments.iterations:
            record = {"iteration": done, "loss": sum(losses) / len(losses)}
            record["gain_db"] = {name: round(gain, 3) for name, gain in validate(average, unseen).items()}
            record["seconds_left"] = round((time.monotonic() - began) / (done - start) * (arguments.iterations - done))
            with open(arguments.out / "log.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
            losses = []
            state = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "sampler": sampler.state(),
                "iteration": done,
                "architecture": {"factor": arguments.factor, **settings["network"]},
            }
            torch.save(state, checkpoint.with_suffix(".partial"))
            os.replace(checkpoint.with_suffix(".partial"), checkpoint)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the volumes that the data list names")
    parser.add_argument("--datalist", type=Path, default=CONFIGS / "datalist_mri.json")
    parser.add_argument("--config", type=Path, default=CONFIGS / "stage1_mri.json")
    parser.add_argument("--factor", type=int, choices=(2, 4), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and log.jsonl")
    parser.add_argument("--iterations", type=int, default=16000)
    parser.add_argument("--every", type=int, default=500, help="iterations between checkpoints")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to PyTorch")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == "__main__":
    main()
