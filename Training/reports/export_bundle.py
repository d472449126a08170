"""Write a trained network as a model folder: float16 safetensors, their digests, and MONAI's metadata.

    python -m Training.reports.export_bundle runs/x4/checkpoint.pt SuperResolutionLib/Bundles/mri-x4-compact \\
        --description "..." --training "..."
    python -m Training.reports.export_bundle runs/x4-perceptual/checkpoint.pt \\
        SuperResolutionLib/Bundles/mri-x4-compact --kind perceptual --training "..."

Stage 1 gives a folder its fidelity weights, stage 2 adds the perceptual ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import monai
import numpy
import safetensors.torch
import torch

from SuperResolutionLib.evaluation.table import summarise
from SuperResolutionLib.version import VERSION
from Training.runs.checkpoints import read_checkpoint

SLICE_PLANE = {
    "axes": "slice plane",
    "acquisition": {"operator": "mixed: voxel average, cubic, k-space crop", "held_band": 0.25},
}
THROUGH_THE_SLICES = {
    "axes": "through the slices",
    "acquisition": {
        "operator": "slice profile: Gaussian, boxcar, trapezoid or truncated sinc of 0.6 to 1.3 spacings FWHM",
        "held_band": 0.25,
    },
}


def export_bundle(
    checkpoint: os.PathLike | str,
    folder: Path,
    description: str,
    training: str,
    quality: str = "fast",
    records: Path | None = None,
    modality: str = "MR",
) -> None:
    """Write ``checkpoint``'s averaged weights as the fidelity weights of the model folder ``folder``.

    ``records`` is the ``records.json`` of an evaluation, whose means go into the metadata. A model card,
    ``docs/README.md``, that is already there is left alone. So are perceptual weights if these fidelity weights were
    there before; beside other ones they are taken off, since detail blends the two and stage 2 starts from stage 1. An
    error head is taken off likewise, since it reads the features of these weights.
    """
    state = read_checkpoint(checkpoint)
    architecture = dict(state["architecture"])
    factor = architecture.pop("factor")
    through = architecture["name"] == "ThroughPlaneNet"
    shape = ["rows", "*"] if through else [f"{factor}*n", f"{factor}*n"]
    before = _weights_of(folder)
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    weights = {"fidelity": _write_weights(state["average"], folder, "fidelity")}
    calibration = {}
    if before.get("fidelity") == weights["fidelity"]:
        weights = {**before, **weights}
        calibration = _calibration_of(folder)
    else:
        for kind in ("perceptual", "error"):
            (folder / "models" / f"{kind}.safetensors").unlink(missing_ok=True)
    shutil.copyfile(Path(__file__).parent.parent / "configs" / "inference.json", folder / "configs" / "inference.json")
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": modality,
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
        "required_packages_version": {
            "superresolution-medical": VERSION,
            **{package: version(package) for package in ("pytorch-ignite", "fire")},
        },
        "name": folder.name,
        "task": "New slices between thick ones" if through else "Super-resolution of the slice plane",
        "description": description,
        "authors": "SuperResolution contributors",
        "copyright": "Copyright (c) SuperResolution contributors",
        "data_source": "see docs/README.md",
        "data_type": "NIfTI",
        "intended_use": "Research only; not for diagnosis",
        "network_data_format": {
            "inputs": {"image": {**image, "value_range": [0, 1], "spatial_shape": ["*", "*"]}},
            "outputs": {"pred": {**image, "value_range": [0, 1], "spatial_shape": shape}},
        },
        "super_resolution": {
            **(THROUGH_THE_SLICES if through else SLICE_PLANE),
            "factor": factor,
            "modality": modality,
            "quality": quality,
            "network": {"name": architecture["name"], "arguments": architecture["arguments"]},
            "default_detail": 0.0,
            "training": training,
            "iterations": state["iteration"],
            "metrics": _metrics(records) if records else {},
            "weights": weights,
            **calibration,
        },
    }
    _write_metadata(folder, metadata)


def add_perceptual(checkpoint: os.PathLike | str, folder: Path, training: str) -> None:
    """Add ``checkpoint``'s averaged weights to the model folder ``folder`` as its perceptual weights.

    Raises:
        ValueError: they are not those of the folder's network.
    """
    state = read_checkpoint(checkpoint)
    block = _read_metadata(folder)["super_resolution"]
    architecture = {"factor": block["factor"], **block["network"]}
    if state["architecture"] != architecture:
        raise ValueError(f"{checkpoint} holds {state['architecture']}, and {folder} is of {architecture}")
    write_perceptual(state["average"], folder, training, state["iteration"])


def write_perceptual(weights: dict[str, torch.Tensor], folder: Path, training: str, iterations: int) -> None:
    """Write ``weights`` as the perceptual ones of the model folder ``folder``, and what its metadata say of them."""
    add_weights(weights, folder, "perceptual", training, iterations)


def add_weights(weights: dict[str, torch.Tensor], folder: Path, kind: str, training: str, iterations: int) -> None:
    """Write ``weights`` beside the fidelity ones of the model folder ``folder``, and what its metadata say of them.

    Args:
        kind: "perceptual", or "error" for those of an error head, whose calibration is then to be found anew.
    """
    metadata = _read_metadata(folder)
    entry = _write_weights(weights, folder, kind)
    metadata["super_resolution"]["weights"][kind] = {**entry, "training": training, "iterations": iterations}
    if kind == "error":
        metadata["super_resolution"].pop("error_calibration", None)
    _write_metadata(folder, metadata)


def model_of(checkpoint_or_model: str) -> str:
    """Return what ``UpscaleRequest.model`` takes: a ``.pt`` file is first written as a model folder beside it."""
    path = Path(checkpoint_or_model)
    if path.suffix != ".pt":
        return checkpoint_or_model
    folder = path.parent / "model"
    export_bundle(path, folder, f"The checkpoint {path}", "not finished")
    return str(folder)


def _write_weights(weights: dict[str, torch.Tensor], folder: Path, kind: str) -> dict[str, str]:
    """Write the weights and return their entry in the metadata."""
    content = safetensors.torch.save({key: value.half().contiguous() for key, value in weights.items()})
    file = f"models/{kind}.safetensors"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(content)
    return {"file": file, "sha256": hashlib.sha256(content).hexdigest()}


def _weights_of(folder: Path) -> dict[str, dict]:
    try:
        return _read_metadata(folder)["super_resolution"]["weights"]
    except FileNotFoundError:
        return {}


def _calibration_of(folder: Path) -> dict:
    block = _read_metadata(folder)["super_resolution"]
    return {key: block[key] for key in ("error_calibration",) if key in block}


def _read_metadata(folder: Path) -> dict:
    return json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))


def _write_metadata(folder: Path, metadata: dict) -> None:
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
    parser.add_argument("--kind", choices=("fidelity", "perceptual"), default="fidelity")
    parser.add_argument("--training", required=True, help="data, hours and machine, in one sentence")
    parser.add_argument("--description", help="fidelity: one line for the model list")
    parser.add_argument("--records", type=Path, help="fidelity: records.json of an evaluation on held-out volumes")
    parser.add_argument("--modality", default="MR", help="fidelity: DICOM modality of the data")
    parser.add_argument("--quality", choices=("fast", "standard"), default="fast", help="fidelity: of the network")
    options = parser.parse_args()
    if options.kind == "perceptual":
        add_perceptual(options.checkpoint, options.folder, options.training)
        return
    if not options.description:
        parser.error("fidelity weights need a --description")
    export_bundle(
        options.checkpoint,
        options.folder,
        options.description,
        options.training,
        options.quality,
        options.records,
        options.modality,
    )


if __name__ == "__main__":
    main()
