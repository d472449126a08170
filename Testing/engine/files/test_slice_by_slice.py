"""Files written slice by slice: to the byte what ITK writes, without a second copy of the voxels."""

import gzip
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.formats.raw_voxels import open_plain
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume


def plain(path):
    with open_plain(path) as file:
        return file.read()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("slices", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
def test_a_file_is_what_itk_writes(tmp_path, oblique_phantom, suffix, slices, dtype):
    said = replace(
        oblique_phantom,
        voxels=(oblique_phantom.voxels[:slices] % 251).astype(dtype),
        modality="MR",
        acquired_shares=(0.5, None, None),
        acquired_from="the header",
    )
    write_volume(said, tmp_path / f"ours{suffix}", compressed=False)
    sitk.WriteImage(image_from_volume(said), str(tmp_path / f"itk{suffix}"))
    assert plain(tmp_path / f"ours{suffix}") == plain(tmp_path / f"itk{suffix}")


def test_a_packed_nrrd_has_the_header_and_the_voxels_that_itk_writes(tmp_path, oblique_phantom):
    write_volume(oblique_phantom, tmp_path / "ours.nrrd")
    sitk.WriteImage(image_from_volume(oblique_phantom), str(tmp_path / "itk.nrrd"), useCompression=True)
    (ours, our_voxels), (itk, itk_voxels) = (
        (tmp_path / name).read_bytes().split(b"\n\n", 1) for name in ("ours.nrrd", "itk.nrrd")
    )
    assert ours == itk and gzip.decompress(our_voxels) == gzip.decompress(itk_voxels)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
def test_no_second_copy_of_the_voxels_is_made(tmp_path, monkeypatch, suffix):
    voxels, in_itk = np.zeros((64, 128, 128), np.int16), []

    def image(volume, really=image_from_volume):
        in_itk.append(len(volume.voxels))
        return really(volume)

    monkeypatch.setattr("SuperResolutionLib.files.writing.image_from_volume", image)
    tracemalloc.start()  # which sees no memory of ITK's
    write_volume(Volume(voxels, np.eye(4)), tmp_path / f"v{suffix}")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < voxels.nbytes / 4 and in_itk == [2]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_disk_that_keeps_less_than_it_was_given_is_found(tmp_path, phantom, monkeypatch, suffix, compressed):
    from SuperResolutionLib.files import slice_by_slice

    def opened(path, mode, header, packed, really_open=slice_by_slice._opened):
        if mode == "rb":
            path.write_bytes(path.read_bytes()[:-20])
        return really_open(path, mode, header, packed)

    monkeypatch.setattr(slice_by_slice, "_opened", opened)
    with pytest.raises(InputError, match="not whole"):
        write_volume(phantom, tmp_path / f"v{suffix}", compressed)
    assert list(tmp_path.iterdir()) == []
