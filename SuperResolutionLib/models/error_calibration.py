"""How an expected error follows from what a head answers, so that as many voxels lie within it as are said to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNIT = 0.03
"""A typical error, a share of the intensity range: the answer that the exponent leaves as it is."""
ONE_SD = 68.27
"""Of a normal distribution, the per cent that lie within one SD: what an expected error says."""


@dataclass(frozen=True)
class ErrorCalibration:
    """A power of a head's answer, and multiples of it, found on validation volumes at some levels of the scan's noise.

    On scans that it never saw a head is right about where the error is large, and exaggerates by how much; an exponent
    below 1 mends that. It does not exaggerate how much larger the errors of one scan are than those of another, so that
    the level of a scan, its typical answer, may have a power of its own:
    ``expected = multiple * UNIT * (level / UNIT) ** level_exponent * (answer / level) ** exponent``. A head answers
    at coarse resolution; the finer result knows better where edges are, so that its steepness, over the scan's typical
    one, may multiply the answer.

    Attributes:
        exponent: the power within a scan. noise: the levels, SD over the robust range, ascending.
        multiples: for each per cent of the voxels the multiple, at each level, that so many errors lie within.
        perceptual: by how much more at detail 1; between, it grows evenly with the detail.
        level_exponent: the power from scan to scan; None is ``exponent``, with which the level has no part.
        by_steepness: whether the steepness of the result multiplies the answer.
    """

    exponent: float
    noise: tuple[float, ...]
    multiples: dict[float, tuple[float, ...]]
    perceptual: float = 1.0
    level_exponent: float | None = None
    by_steepness: bool = False

    @classmethod
    def read(cls, block: dict) -> ErrorCalibration:
        """Return what a model's description says.

        Raises:
            KeyError, TypeError, ValueError: it is no calibration.
        """
        noise = tuple(float(percent) / 100 for percent in block["noise_percent"])
        multiples = {float(percent): tuple(map(float, row)) for percent, row in block["multiples"].items()}
        exponent, rows = float(block["exponent"]), [noise, *multiples.values()]
        if ONE_SD not in multiples or not noise or any(len(row) != len(noise) or min(row) < 0 for row in rows):
            raise ValueError("no calibration")
        level_exponent = float(block["level_exponent"]) if "level_exponent" in block else None
        perceptual, by_steepness = float(block["perceptual"]), bool(block.get("by_steepness", False))
        return cls(exponent, noise, multiples, perceptual, level_exponent, by_steepness)

    def described(self) -> dict:
        """Return what ``read`` takes."""
        return {
            "exponent": round(self.exponent, 3),
            "noise_percent": [round(100 * level, 3) for level in self.noise],
            "multiples": {f"{percent:g}": [round(v, 3) for v in row] for percent, row in self.multiples.items()},
            "perceptual": round(self.perceptual, 3),
            **({} if self.level_exponent is None else {"level_exponent": round(self.level_exponent, 3)}),
            **({"by_steepness": True} if self.by_steepness else {}),
        }

    @property
    def asks_for_samples(self) -> bool:
        """Whether the level of the scan matters, or its steepness."""
        return self.by_steepness or self.level_exponent not in (None, self.exponent)

    def one_sd(self, noise: float, detail: float, level: float = UNIT) -> float:
        """Return the multiple of the power of the answer that is the expected error of a scan of this noise, level."""
        multiple = float(np.interp(noise, self.noise, self.multiples[ONE_SD])) * (1 + detail * (self.perceptual - 1))
        more = 0.0 if self.level_exponent is None else self.level_exponent - self.exponent
        return multiple * (level / UNIT) ** more

    def within(self, noise: float) -> dict[str, float]:
        """Return the multiple of the expected error that 50, 80 and 95 per cent of the errors lie within."""
        one = np.interp(noise, self.noise, self.multiples[ONE_SD])
        return {
            f"{percent:g}": float(np.interp(noise, self.noise, row) / one)
            for percent, row in self.multiples.items()
            if percent != ONE_SD
        }


UNCALIBRATED = ErrorCalibration(1.0, (0.0,), {50.0: (0.693,), ONE_SD: (1.148,), 80.0: (1.609,), 95.0: (2.996,)})
"""What a Laplace distribution of the answer's mean absolute value says."""
