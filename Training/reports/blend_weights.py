"""Move trained weights a part of the way back to those that the training began with.

    python -m Training.reports.blend_weights runs/ct-x4/checkpoint.pt SuperResolutionLib/Bundles/mri-x4-compact \
        --share 0.6 --out runs/ct-x4/blended.pt

What was learnt for one kind of scan is kept, and less is forgotten of all others (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"). A network that sees neighbours may have begun with one that does not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from SuperResolutionLib.models.bundles import read_model
from Training.reports.carry_detail import fitted
from Training.runs.checkpoints import read_checkpoint


def blend_weights(checkpoint: os.PathLike | str, start: os.PathLike | str, share: float, out: Path) -> None:
    """Write ``checkpoint`` with ``share`` of its averaged weights, the rest being ``start``'s.

    Args:
        start: the model folder whose fidelity weights the training began with.
        share: 0 to 1.

    Raises:
        ValueError: the two are of networks whose weights do not correspond, or the share is none.
        InputError: ``start`` holds no model.
    """
    if not 0 <= share <= 1:
        raise ValueError("the share must lie between 0 and 1")
    state = read_checkpoint(checkpoint)
    trained, begun = state["average"], read_model(start).load(0.0).state_dict()
    if trained.keys() != begun.keys() or any(begun[name].ndim != value.ndim for name, value in trained.items()):
        raise ValueError(f"{checkpoint} is not of the network of {start}")
    state["average"] = {
        name: share * value + (1 - share) * fitted(begun[name], value) for name, value in trained.items()
    }
    torch.save(state, out)


def main() -> None:
    """Parse the command line and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the checkpoint's weights, 0 to 1")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    options = parser.parse_args()
    blend_weights(options.checkpoint, options.start, options.share, options.out)


if __name__ == "__main__":
    main()
