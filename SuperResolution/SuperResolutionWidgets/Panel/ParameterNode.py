from __future__ import annotations

from typing import Annotated

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from .Purpose import Purpose
from .Quality import Quality


@parameterNodeWrapper
class SuperResolutionParameterNode:
    """The user's choices, saved with the scene.

    Attributes:
        inputVolume: the volume to upscale.
        outputVolume: the volume to fill; None makes a new one.
        scan2, ... scan6: further scans, which are fused with the input where that is the purpose.
        wholeSequence: all volumes of the sequence are upscaled whose current one is the input.
        purpose, quality: see the enumerations.
        spacing: mm, the size of a pixel where the purpose asks for one.
        model: an installed model's name; "" lets the engine choose.
        detail: 0 (fidelity) to 1 (perceptual); used where the model has both weight sets.
        detailModel: name of the model that ``detail`` was set for.
        region: only this box is upscaled; None upscales everything.
        asStored: a zero-filled scan is upscaled from its stored voxels instead of the acquired band.
        thickness: mm, of the slices, where new ones are added; 0 takes the scan's.
        adapt: the network that adds slices is adapted to the scan first.
        added, error: whether these volumes come with the result, see ``Companion``.
        device: ``auto``, ``cpu``, ``cuda:N`` or ``mps``.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    scan2: vtkMRMLScalarVolumeNode
    scan3: vtkMRMLScalarVolumeNode
    scan4: vtkMRMLScalarVolumeNode
    scan5: vtkMRMLScalarVolumeNode
    scan6: vtkMRMLScalarVolumeNode
    wholeSequence: bool = False
    purpose: Purpose = Purpose.TIMES_4
    spacing: Annotated[float, WithinRange(0.05, 10.0)] = 0.5
    quality: Quality = Quality.STANDARD
    model: str = ""
    detail: Annotated[float, WithinRange(0.0, 1.0)] = 0.0
    detailModel: str = ""
    region: vtkMRMLMarkupsROINode
    asStored: bool = False
    thickness: Annotated[float, WithinRange(0.0, 50.0)] = 0.0
    adapt: bool = False
    added: bool = False
    error: bool = False
    device: str = "auto"
