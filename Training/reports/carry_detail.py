"""Give newly trained fidelity weights the perceptual ones that their predecessor's stage 2 had led to.

    python -m Training.reports.carry_detail OLD_MODEL NEW_MODEL

What stage 2 had changed of the old fidelity weights is added to the new ones (Ilharco et al. 2023, "Editing models with
task arithmetic"). That is right only as long as the new weights were trained on from the old ones; ``compare_detail``
says whether it was. A network that sees neighbours may follow one that does not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from SuperResolutionLib.models.bundles import read_model
from Training.reports.export_bundle import write_perceptual


def carry_detail(old: os.PathLike | str, new: os.PathLike | str) -> None:
    """Write the perceptual weights of the model folder ``new``: its fidelity weights, changed as those of ``old`` were.

    Raises:
        ValueError: the two are of networks whose weights do not correspond.
        InputError: one of the folders holds no model, or ``old`` has no perceptual weights.
    """
    before, after = read_model(old), read_model(new)
    fidelity, perceptual = (before.load(detail).state_dict() for detail in (0.0, 1.0))
    started = after.load(0.0).state_dict()
    if fidelity.keys() != started.keys() or any(started[name].ndim != fidelity[name].ndim for name in started):
        raise ValueError(f"{new} is not of the network of {old}")
    changed = {name: value + fitted(perceptual[name] - fidelity[name], value) for name, value in started.items()}
    training = f"Its fidelity weights, changed as stage 2 changed those of the {before.name} before."
    write_perceptual(changed, Path(new), training, 0)


def fitted(change: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return ``change``, weights or what is added to some, with zeros for the input channels new in ``weights``."""
    if change.shape == weights.shape:
        return change
    fitted = torch.zeros_like(weights)
    fitted[:, : change.shape[1]] = change
    return fitted


def main() -> None:
    """Parse the command line and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    carry_detail(options.old, options.new)


if __name__ == "__main__":
    main()
