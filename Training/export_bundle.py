"""Write a trained network as a model folder: float16 safetensors, their digests, and MONAI's metadata.

    python -m Training.export_bundle runs/x4/checkpoint.pt SuperResolutionLib/Bundles/mri-x4-compact \\
        --description "..." --training "..."
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import monai
import numpy
import safetensors.torch
import torch

from SuperResolutionLib.evaluation import summarise
from SuperResolutionLib.version import VERSION

HELD_BAND = 0.25


def export_bundle(
    checkpoint: Path, folder: Path, description: str, training: str, quality: str, records: Path | None = None
) -> None:
    """Write ``checkpoint``'s averaged weights as the fidelity weights of the model folder ``folder``.

    ``records`` is the ``records.json`` of an evaluation, whose means go into the metadata.
    A model card, ``docs/README.md``, that is already there is left alone.
    """
    state = torch.load(checkpoint, weights_only=True)
    architecture = dict(state["architecture"])
    factor = architecture.pop("factor")
    weights = {key: value.half().contiguous() for key, value in state["average"].items()}
    content = safetensors.torch.save(weights)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "models" / "fidelity.safetensors").write_bytes(content)
    shutil.copyfile(Path(__file__).parent / "configs" / "inference.json", folder / "configs" / "inference.json")
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "dtype": "float32",
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }
    metadata = {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": VERSION,
        "changelog": {VERSION: "first weights"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": numpy.__version__,
        "required_packages_version": {},
        "name": folder.name,
        "task": "Super-resolution of the slice plane",
        "description": description,
        "authors": "SuperResolution contributors",
        "copyright": "Copyright (c) SuperResolution contributors",
        "data_source": "see docs/README.md",
        "data_type": "NIfTI",
        "intended_use": "Research only; not for diagnosis",
        "network_data_format": {
            "inputs": {"image": {**image, "value_range": [0, 1], "spatial_shape": ["*", "*"]}},
            "outputs": {"pred": {**image, "value_range": [0, 1], "spatial_shape": [f"{factor}*n", f"{factor}*n"]}},
        },
        "super_resolution": {
            "axes": "slice plane",
            "factor": factor,
            "modality": "MR",
            "quality": quality,
            "network": {"name": architecture["name"], "arguments": architecture["arguments"]},
            "default_detail": 0.0,
            "acquisition": {"operator": "mixed: voxel average, cubic, k-space crop", "held_band": HELD_BAND},
            "training": training,
            "iterations": state["iteration"],
            "metrics": _metrics(records) if records else {},
            "weights": {
                "fidelity": {"file": "models/fidelity.safetensors", "sha256": hashlib.sha256(content).hexdigest()}
            },
        },
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def _metrics(records: Path) -> dict[str, dict[str, float]]:
    """Return, per degradation, the means over the held-out volumes: PSNR and gain in dB, SSIM, FRC cut-off."""
    keys = {"psnr_foreground": 2, "ssim_foreground": 4, "gain": 2, "frc_cutoff": 2}
    return {
        row["degradation"]: {key: round(row[key], digits) for key, digits in keys.items()}
        for row in summarise(json.loads(records.read_text(encoding="utf-8")))
        if row["method"] == "ours"
    }


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--description", required=True, help="one line for the model list")
    parser.add_argument("--training", required=True, help="data, hours and machine, in one sentence")
    parser.add_argument("--records", type=Path, help="records.json of superresolution evaluate on held-out volumes")
    parser.add_argument("--quality", choices=("fast", "standard"), default="fast")
    arguments = parser.parse_args()
    export_bundle(**vars(arguments))


if __name__ == "__main__":
    main()
