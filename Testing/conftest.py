"""What the tests of every layer share: the repository on the path, the seeds, and the real scans."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep what the program remembers of this machine away from the user's, in the processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def scans() -> Path:
    """The folder of real scans (train/, heldout/); skips where there is none."""
    folder = Path(os.environ.get("SUPERRESOLUTION_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "heldout").is_dir():
        pytest.skip(f"no real scans in {folder}; set SUPERRESOLUTION_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def write_series():
    """The function that writes images of 64 x 64 of pydicom's MRI sample, 2 mm apart, under the given names."""
    import pydicom
    from pydicom.data import get_testdata_file

    def write(folder, names):
        folder.mkdir()
        for number, name in enumerate(names):
            data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            data.ImagePositionPatient = [-10, -10, 2.0 * number]
            data.save_as(folder / name)
        return folder

    return write


@pytest.fixture(scope="session")
def write_stack():
    """The function that writes a ``Volume`` of int16 as a DICOM series, with the header of pydicom's MRI sample.

    ``write_stack(folder, volume, number, **attributes)`` returns the Series Instance UID, which ends in ``number``.
    """
    import pydicom
    from pydicom.data import get_testdata_file

    from SuperResolutionLib.geometry.volume import LPS_TO_RAS

    def write(folder, volume, number, **attributes):
        folder.mkdir(parents=True, exist_ok=True)
        lps = LPS_TO_RAS @ volume.ijk_to_ras
        spacing = np.array(volume.spacing)
        i, j, k = (lps[:3, :3] / spacing).T
        uid = f"1.2.826.0.1.3680043.8.498.{number}"
        for n, image in enumerate(volume.voxels):
            data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{n + 1}"
            data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = uid, number, n + 1
            data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
            data.ImagePositionPatient = [round(float(value), 8) for value in lps[:3, 3] + n * spacing[2] * k]
            data.ImageOrientationPatient = [round(float(value), 8) for value in (*i, *j)]
            data.PixelSpacing = [round(float(value), 8) for value in (spacing[1], spacing[0])]
            data.SliceThickness = round(float(volume.slice_thickness or spacing[2]), 8)
            data.Rows, data.Columns = image.shape
            data.PixelData = image.astype("<i2").tobytes()
            for keyword, value in attributes.items():
                setattr(data, keyword, value)
            data.save_as(folder / f"{number}-{n + 1:03d}.dcm")
        return uid

    return write


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")  # the tests that need it have imported it by now
    if torch is not None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
