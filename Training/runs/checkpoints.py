"""Checkpoints: a run that is killed at any moment goes on from its last one and ends with the same weights.

Bit for bit on the CPU; on GPUs as closely as two runs of the same command agree, since CUDA adds in any order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from ignite.engine.events import CallableEventWithFilter

from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.networks import NETWORKS, Network
from Training.data.batches import NumberedBatches


def read_checkpoint(path: os.PathLike | str) -> dict:
    """Return what a checkpoint file holds, its tensors on the CPU; nothing but data is unpickled.

    Every file has "architecture" (``{"factor": ..., "name": ..., "arguments": {...}}``), "average" (the weights that
    are validated and exported), "network" and "iteration".
    """
    return torch.load(path, weights_only=True, map_location="cpu")


def read_start(path: os.PathLike | str) -> dict:
    """Return the "architecture" and the "average" of a checkpoint, or of a model folder's fidelity weights.

    Raises:
        InputError: a folder that holds no model.
    """
    if not Path(path).is_dir():
        return read_checkpoint(path)
    model = read_model(path)
    name, arguments = model.network
    arguments = {key: value for key, value in arguments.items() if key != "factor"}
    return {
        "architecture": {"factor": model.factor, "name": name, "arguments": arguments},
        "average": model.load(0.0).state_dict(),
    }


def build_network(architecture: Mapping, start: os.PathLike | str | None = None) -> torch.nn.Module:
    """Return a network, with the weights of ``start``, a checkpoint or a model folder, where there is one.

    From a start of another factor it takes the weights that do not depend on the factor, as Lim et al. 2017, EDSR, do.
    A network that sees neighbours can start from one that does not.

    Raises:
        ValueError: the start is of another architecture.
        InputError: a folder that holds no model.
    """
    network = NETWORKS[architecture["name"]](factor=architecture["factor"], **architecture["arguments"])
    if start:
        state = read_start(start)
        if architecture["arguments"].get("neighbours") and "neighbours" not in state["architecture"]["arguments"]:
            state = _that_sees_neighbours(state, network)
        if {**state["architecture"], "factor": architecture["factor"]} != dict(architecture):
            raise ValueError(f"{start} holds {state['architecture']}, which is not {dict(architecture)}")
        weights = network.state_dict()
        shared = {name: value for name, value in state["average"].items() if value.shape == weights[name].shape}
        network.load_state_dict({**weights, **shared})
    return network


def _that_sees_neighbours(state: dict, network: Network) -> dict:
    """Return the state of a network that sees no neighbours as that of ``network`` with the same answers, which does.

    What is new to it begins at zero; in a ``ThroughPlaneNet`` the one scale and shift that all channels of a block had
    become each channel's.
    """
    architecture = state["architecture"]
    weights, wanted = dict(state["average"]), network.state_dict()
    for name in {"head.weight", "condition.0.weight"} & weights.keys():
        lacking = wanted[name].shape[1] - weights[name].shape[1]
        weights[name] = torch.cat(
            [weights[name], torch.zeros_like(weights[name][:, :1]).repeat_interleave(lacking, 1)], 1
        )
    for name in [name for name in weights if "modulation" in name]:
        scale, shift = weights[name].chunk(2)
        weights[name] = torch.cat([part[:1].expand_as(part) for part in (scale, shift)])
    return {
        "architecture": {**architecture, "arguments": {**architecture["arguments"], "neighbours": network.neighbours}},
        "average": weights,
    }


def at_every(interval: int) -> CallableEventWithFilter:
    """Return the event of every ``interval``-th iteration and of the last one."""
    return Events.ITERATION_COMPLETED(
        event_filter=lambda engine, iteration: iteration % interval == 0 or iteration == engine.state.epoch_length
    )


class Checkpoints:
    """An ignite handler that restores a run when it starts, and saves it at every ``every``-th iteration.

    The file holds the ``parts``, the iteration, which is the schedules' and the batches' position too, the random
    states of every process, and the architecture. It appears under its name only when whole. The process of rank 0
    writes it, all read it.

    Args:
        path: the file. every: iterations between two checkpoints.
        parts: all networks (bare) and optimisers, by the names that they have in the file.
        batches: what tells the data loader where to go on.
        architecture: of the generator; see ``read_checkpoint``.
    """

    def __init__(
        self,
        path: os.PathLike | str,
        every: int,
        parts: Mapping[str, torch.nn.Module | torch.optim.Optimizer],
        batches: NumberedBatches,
        architecture: Mapping,
    ):
        self.path, self.every, self.parts, self.batches = Path(path), every, dict(parts), batches
        self.architecture = dict(architecture)

    def attach(self, engine: Engine) -> None:
        """Make ``engine`` restore and save; attach it after what else an iteration must have done before it counts."""
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(at_every(self.every), self.save)

    def restore(self, engine: Engine) -> None:
        """Put everything back as the last checkpoint has it; leave a new run as it is.

        Raises:
            ValueError: the file cannot continue this run.
        """
        if not self.path.exists():
            return
        state = read_checkpoint(self.path)
        lacking = sorted({*self.parts, "random"} - set(state))
        if lacking or state["architecture"] != self.architecture:
            raise ValueError(
                f"{self.path} is of another kind of run (it lacks {lacking}) or network ({state['architecture']});"
                " write to another folder, and name this file as start_from to begin with its weights"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        engine.state.iteration = self.batches.start = state["iteration"]
        if idist.get_rank() < len(state["random"]):
            _set_random_state(state["random"][idist.get_rank()])

    def save(self, engine: Engine) -> None:
        """Write the file; every process must call it."""
        random = _random_states_of_all_processes()
        if idist.get_rank() > 0:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state.update(iteration=engine.state.iteration, random=random, architecture=self.architecture)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)


def _random_states_of_all_processes() -> list[dict[str, torch.Tensor]]:
    """Return, by rank, the states that dropout draws from; pairs are drawn by their numbers and need none."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if idist.get_world_size() == 1:
        return [state]
    states = [None] * idist.get_world_size()
    torch.distributed.all_gather_object(states, state)
    return states


def _set_random_state(state: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
