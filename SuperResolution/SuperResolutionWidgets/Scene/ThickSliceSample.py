from __future__ import annotations

from dataclasses import dataclass

import slicer
import slicer.util

from SuperResolutionLib.acquisition.survey import slice_axis
from SuperResolutionLib.geometry.intensity import as_scalar_type
from SuperResolutionLib.geometry.volume import Volume, refined_matrix


@dataclass(frozen=True)
class ThickSliceSample:
    """A sample data set with thick slices, made from MRHead at load time, so that its truth is known.

    Attributes:
        slices: how many neighbouring slices are averaged into one.
    """

    slices: int = 4

    CATEGORY = "Super Resolution"
    NAME = "MRHead with thick slices"
    NODE_NAME = "MRHeadThick"
    # As the module Sample Data has it.
    URI = (
        "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
        "cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"
    )
    CHECKSUM = "SHA256:cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"

    def register(self) -> None:
        """Offer the data set in the module Sample Data. Nothing is downloaded."""
        import SampleData

        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=self.CATEGORY,
            sampleName=self.NAME,
            uris=self.URI,
            checksums=self.CHECKSUM,
            fileNames="MR-head.nrrd",
            # What a script gets that asks for this name, as it passes the custom downloader by: MRHead itself.
            nodeNames="MRHead",
            customDownloader=self.load,
        )

    def load(self, source):
        """Download MRHead unless it was before, and return the volume node with thick slices, shown in the views.

        Args:
            source: the ``SampleDataSource`` that ``register`` made.
        """
        import SampleData

        from SuperResolutionLib.files.reading import read_volume

        with slicer.util.tryWithErrorDisplay("The sample data could not be loaded.", waitCursor=True):
            path = SampleData.SampleDataLogic().downloadSourceIntoCache(source)[0]
            volume = self.thickened(read_volume(path))
            name = slicer.mrmlScene.GenerateUniqueName(self.NODE_NAME)
            node = slicer.util.addVolumeFromArray(volume.voxels, ijkToRAS=volume.ijk_to_ras, name=name)
            hasViews = slicer.app.layoutManager() is not None
            slicer.util.setSliceViewerLayers(background=node, fit=hasViews)
            return node

    def thickened(self, volume: Volume) -> Volume:
        """Return the volume as a box-shaped slice profile would have measured it, slices without a gap.

        Slices that are left over at the end are dropped. The scalar type stays.
        """
        across = slice_axis(volume)
        kept = list(volume.dimensions)
        kept[across] -= kept[across] % self.slices
        whole = volume.cropped((0, 0, 0), tuple(kept))
        axis = 2 - across
        shape = list(whole.voxels.shape)
        shape[axis : axis + 1] = [shape[axis] // self.slices, self.slices]
        means = whole.voxels.reshape(shape).mean(axis=axis + 1)
        factors = tuple(1 / self.slices if index == across else 1 for index in range(3))
        matrix = refined_matrix(whole.ijk_to_ras, factors)
        return Volume(as_scalar_type(means, volume.voxels.dtype), matrix, volume.modality)
