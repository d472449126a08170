from __future__ import annotations


class SliceThickness:
    """Finds the slice thickness that the scanner noted, which may be more or less than the distance of the slices.

    Args:
        database: returns Slicer's DICOM database, or None where there is none.
    """

    TAG = "0018,0050"

    def __init__(self, database=lambda: None):
        self._database = database

    def millimetres(self, volumeNode) -> float | None:
        """Return the thickness of a volume that was loaded from DICOM, None where it is not known."""
        database = self._database()
        instances = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
        if database is None or not instances:
            return None
        try:
            thickness = float(database.instanceValue(instances[0], self.TAG))
        except ValueError:
            return None
        return thickness if thickness > 0 else None
