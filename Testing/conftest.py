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


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")  # the tests that need it have imported it by now
    if torch is not None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
