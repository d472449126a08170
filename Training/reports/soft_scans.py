"""What networks do to scans that are softer than their grid: a gain means that they leave them soft.

    python -m Training.reports.soft_scans runs/x2/checkpoint.pt SuperResolutionLib/Bundles/mri-x2-compact --data FOLDER

The validation slices are blurred by a Gaussian, made coarser, and refined by the network alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from monai.networks.layers import GaussianFilter

from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from Training.data.slice_pairs import ValidationSlices
from Training.runs.checkpoints import build_network, read_start
from Training.runs.validation import validate

WIDTHS = (0.0, 1.0, 1.5, 2.0, 3.0)
CONFIGS = Path(__file__).parent.parent / "configs"


def softened_pairs(slices: ValidationSlices, factor: int, fwhm: float, operators: tuple[str, ...]) -> list[dict]:
    """Return what ``ValidationSlices`` yields, from truths blurred by a Gaussian.

    Args:
        slices: their noiseless pairs are used.
        fwhm: of the Gaussian, in fine voxels; 0 blurs nothing.
        operators: of ``acquisition.operators.OPERATORS``.
    """
    blur = GaussianFilter(2, fwhm / FWHM_OF_UNIT_GAUSSIAN) if fwhm else torch.nn.Identity()
    pairs = []
    for pair in slices:
        if pair["name"] in operators:
            truth = blur(pair["label"])
            pairs.append({"name": pair["name"], "image": OPERATORS[pair["name"]](truth, factor), "label": truth})
    return pairs


def main() -> None:
    """Print, per network and width, the gain over bicubic interpolation in dB of PSNR over the whole slices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", help="checkpoints or model folders")
    parser.add_argument("--data", type=Path, required=True, help="folder of the volumes")
    parser.add_argument("--datalist", type=Path, default=CONFIGS / "datalist_mri.json")
    parser.add_argument("--slices", type=int, default=2, help="of each volume")
    options = parser.parse_args()
    for path in options.networks:
        architecture = read_start(path)["architecture"]
        network = build_network(architecture, path).eval()
        factor = architecture["factor"]
        slices = ValidationSlices(options.data, options.datalist, factor, options.slices)
        for fwhm in WIDTHS:
            gains = validate(network, softened_pairs(slices, factor, fwhm, ("area", "kspace")), torch.device("cpu"))
            print(f"{path}, FWHM {fwhm:g}: " + ", ".join(f"{name} {gain:+.2f} dB" for name, gain in gains.items()))


if __name__ == "__main__":
    main()
