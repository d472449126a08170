from __future__ import annotations

from SuperResolutionLib.planning import slice_axis


class Forecast:
    """Foretells the size of a result from the input alone, without the engine's heavy imports."""

    def text(self, volume, factor: int, region: tuple[float, ...] | None = None) -> str:
        """Return such as ``1024 × 1024 × 176 voxels at 0.24 × 0.24 × 1.0 mm, 369 MB``.

        Args:
            volume: a ``Volume``.
            factor: of the two finer axes.
            region: R, A, S, R, A, S in mm, or None.

        Raises:
            InputError: the region does not touch the volume.
        """
        if region is not None:
            volume = volume.cropped(*volume.box_of_region(region))
        across = slice_axis(volume)
        factors = [1 if axis == across else factor for axis in range(3)]
        dimensions = [size * f for size, f in zip(volume.dimensions, factors)]
        spacing = [value / f for value, f in zip(volume.spacing, factors)]
        size = dimensions[0] * dimensions[1] * dimensions[2] * volume.voxels.dtype.itemsize
        voxels = " × ".join(map(str, dimensions))
        return f"{voxels} voxels at {' × '.join(map(self._millimetres, spacing))} mm, {self._bytes(size)}"

    def _millimetres(self, value: float) -> str:
        return f"{value:.1f}" if value >= 1 else f"{value:.2g}"

    def _bytes(self, count: int) -> str:
        for unit in ("bytes", "kB", "MB"):
            if count < 1000:
                return f"{count:.0f} {unit}"
            count /= 1000
        return f"{count:.1f} GB"
