import numpy as np

from SuperResolutionLib.fusion.levelling import smoothed_samples
from SuperResolutionLib.fusion.surroundings import box_within, mean_of_scans, patient_box
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume


def in_air(values=100):
    """Return a block of 40 x 30 x 20 mm in a wide field of air, 2 mm voxels."""
    voxels = np.zeros((40, 60, 60), np.float32)
    voxels[12:22, 20:35, 25:45] = values
    return Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0]), "MR")


def test_the_box_holds_the_patient_with_little_around_it():
    volume, coarse = in_air(), Grid(np.diag([6.0, 6.0, 6.0, 1.0]), (20, 20, 13))
    first, last = patient_box([smoothed_samples(volume, coarse)], coarse, Grid.of(volume))
    assert all(low <= edge for low, edge in zip(first, (25, 20, 12)))
    assert all(high >= edge for high, edge in zip(last, (45, 35, 22)))
    assert np.prod(np.subtract(last, first)) < volume.voxels.size / 3


def test_where_no_scan_shows_a_patient_the_box_is_all():
    coarse = Grid(np.diag([6.0, 6.0, 6.0, 1.0]), (4, 4, 4))
    assert patient_box([np.full(64, np.nan)], coarse, Grid(np.eye(4), (20, 21, 22))) == ((0, 0, 0), (20, 21, 22))


def test_the_part_of_an_oblique_scan_reaches_around_the_box_and_is_never_empty():
    turned = np.eye(4)
    turned[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    scan = Volume(np.zeros((30, 40, 50), np.int16), turned, "MR")
    matrix = turned.copy()
    matrix[:3, 3] = turned[:3] @ [10, 12, 14, 1]
    assert box_within(scan, Grid(matrix, (5, 6, 7)), 2.0) == ((7, 9, 11), (18, 21, 24))
    matrix[:3, 3] += 500
    first, last = box_within(scan, Grid(matrix, (5, 6, 7)), 2.0)
    assert all(high - low >= 1 for low, high in zip(first, last))


def test_the_mean_counts_only_the_scans_that_reach():
    whole, half = in_air(100), in_air(300).cropped((0, 0, 0), (60, 60, 17))
    mean = mean_of_scans([whole, half], Grid(whole.ijk_to_ras, (60, 60, 42)), empty=-5)
    assert mean[14, 25, 30] == 200
    assert mean[20, 25, 30] == 100
    assert (mean[40:] == -5).all()
