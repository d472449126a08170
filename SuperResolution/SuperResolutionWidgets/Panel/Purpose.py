from __future__ import annotations

import enum


class Purpose(enum.Enum):
    """What the user wants done; ``label`` is what the panel shows."""

    TIMES_2 = 2
    TIMES_4 = 4
    ISOTROPIC = "isotropic"
    SPACING = "spacing"
    FUSION = "fusion"

    def label(self) -> str:
        return {
            Purpose.TIMES_2: "Pixels 2 times finer (×2)",
            Purpose.TIMES_4: "Pixels 4 times finer (×4)",
            Purpose.ISOTROPIC: "Isotropic voxels",
            Purpose.SPACING: "Pixels of a chosen size",
            Purpose.FUSION: "One volume from several scans",
        }[self]

    @property
    def factor(self) -> int | None:
        """How much finer the slice plane becomes; None where that depends on the volume."""
        return self.value if self in (Purpose.TIMES_2, Purpose.TIMES_4) else None

    def request(self, spacing: float) -> dict:
        """Return the fields of ``UpscaleRequest`` that decide the output grid; a fusion has none.

        Args:
            spacing: mm, the chosen size of a pixel in the slice plane; used where the purpose asks for it.
        """
        if self is Purpose.ISOTROPIC:
            return {"factor": None, "isotropic": True}
        if self is Purpose.SPACING:
            return {"factor": None, "spacing": spacing}
        return {"factor": self.value}

    def options(self, spacing: float) -> list[str]:
        """Return what ``request`` says as options of the command line."""
        if self is Purpose.ISOTROPIC:
            return ["--isotropic"]
        if self is Purpose.SPACING:
            return ["--spacing", f"{spacing:g}"]
        return ["--factor", str(self.value)]

    def suffix(self, spacing: float) -> str:
        """Return what a result's name ends with."""
        if self is Purpose.ISOTROPIC:
            return "isotropic"
        if self is Purpose.SPACING:
            return f"{spacing:g} mm"
        if self is Purpose.FUSION:
            return "fused"
        return f"x{self.value}"
