"""What the answers of an error head are multiplied by, so that as many voxels lie within as are said to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE_SD = 68.27
"""Of a normal distribution, the per cent that lie within one SD: what an expected error says."""


@dataclass(frozen=True)
class ErrorCalibration:
    """Multiples of a head's answer, found on validation volumes at some levels of the scan's noise.

    Attributes:
        noise: the levels, SD over the robust range, ascending.
        multiples: for each per cent of the voxels the multiple, at each level, that so many errors lie within.
        perceptual: by how much more at detail 1; between, it grows evenly with the detail.
    """

    noise: tuple[float, ...]
    multiples: dict[float, tuple[float, ...]]
    perceptual: float = 1.0

    @classmethod
    def read(cls, block: dict) -> ErrorCalibration:
        """Return what a model's description says.

        Raises:
            KeyError, TypeError, ValueError: it is no calibration.
        """
        noise = tuple(float(percent) / 100 for percent in block["noise_percent"])
        multiples = {float(percent): tuple(map(float, row)) for percent, row in block["multiples"].items()}
        rows = [noise, *multiples.values()]
        if ONE_SD not in multiples or not noise or any(len(row) != len(noise) or min(row) < 0 for row in rows):
            raise ValueError("no calibration")
        return cls(noise, multiples, float(block["perceptual"]))

    def described(self) -> dict:
        """Return what ``read`` takes."""
        return {
            "noise_percent": [round(100 * level, 3) for level in self.noise],
            "multiples": {f"{percent:g}": [round(v, 3) for v in row] for percent, row in self.multiples.items()},
            "perceptual": round(self.perceptual, 3),
        }

    def one_sd(self, noise: float, detail: float) -> float:
        """Return the multiple of the head's answer that is the expected error of a scan with such noise."""
        return float(np.interp(noise, self.noise, self.multiples[ONE_SD])) * (1 + detail * (self.perceptual - 1))

    def within(self, noise: float) -> dict[str, float]:
        """Return the multiple of the expected error that 50, 80 and 95 per cent of the errors lie within."""
        one = np.interp(noise, self.noise, self.multiples[ONE_SD])
        return {
            f"{percent:g}": float(np.interp(noise, self.noise, row) / one)
            for percent, row in self.multiples.items()
            if percent != ONE_SD
        }


UNCALIBRATED = ErrorCalibration((0.0,), {50.0: (0.693,), ONE_SD: (1.148,), 80.0: (1.609,), 95.0: (2.996,)})
"""What a Laplace distribution of the answer's mean absolute value says."""
