"""Put a trained error head into a model folder, as models/error.safetensors.

    python -m Training.reports.export_error_head runs/x4-error/checkpoint.pt \\
        SuperResolutionLib/Bundles/mri-x4-compact --training "..."

Then ``python -m Training.reports.calibrate_error`` says what its answers are to be multiplied by.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from Training.reports.export_bundle import add_weights
from Training.runs.checkpoints import read_checkpoint

HEAD = "error_head."


def export_error_head(checkpoint: os.PathLike | str, folder: Path, training: str) -> None:
    """Write the averaged weights of a checkpoint's error head into the model folder; its calibration is taken off.

    Raises:
        ValueError: the checkpoint holds no error head.
    """
    state = read_checkpoint(checkpoint)
    weights = {name[len(HEAD) :]: value for name, value in state["average"].items() if name.startswith(HEAD)}
    if not weights:
        raise ValueError(f"{checkpoint} holds no error head; make one by python -m Training error_head")
    add_weights(weights, folder, "error", training, state["iteration"])


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--training", required=True, help="data, minutes and machine, in one sentence")
    options = parser.parse_args()
    export_error_head(options.checkpoint, options.folder, options.training)


if __name__ == "__main__":
    main()
