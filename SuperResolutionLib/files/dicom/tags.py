"""The tags under which an image's metadata holds what it knows besides voxels: DICOM's, in .nrrd and .mha, too."""

MODALITY, SLICE_THICKNESS = "0008|0060", "0018|0050"
SLICE_AXIS = "SuperResolutionSliceAxis"
"""Of ours: ``i``, ``j`` or ``k``, across the slices of the series that the image was read from."""
ACQUIRED_SHARES, ACQUIRED_FROM = "SuperResolutionAcquiredShares", "SuperResolutionAcquiredFrom"
"""Of ours: the acquired share of the samples along i, j and k, such as ``0.449219 1 ?``, and who says so."""
