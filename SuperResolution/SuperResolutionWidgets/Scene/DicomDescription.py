from __future__ import annotations

import slicer

from SuperResolutionLib.upscaling.report import model_names


class DicomDescription:
    """Describes a result in the subject hierarchy as a series derived from its input, as far as that is a DICOM series.

    Slicer's DICOM export takes the patient and the study from the parent items, and reads the attributes that are set
    here from the series item. Series and instance UIDs are left out: the export makes new ones.
    """

    COPIED = ("Modality", "FrameOfReferenceUID")

    def describe(self, inputNode, node, report: dict, others=()) -> None:
        """Set the series attributes of ``node``'s hierarchy item.

        Args:
            report: of an ``UpscaleResult`` or a ``FuseResult``. others: what was fused with ``inputNode``.
        """
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        constants = slicer.vtkMRMLSubjectHierarchyConstants
        inputItem, item = hierarchy.GetItemByDataNode(inputNode), hierarchy.GetItemByDataNode(node)
        prefix = constants.GetDICOMAttributePrefix()
        if not inputItem or not hierarchy.GetItemAttribute(inputItem, constants.GetDICOMSeriesModalityAttributeName()):
            return
        attributes = {name: hierarchy.GetItemAttribute(inputItem, prefix + name) for name in self.COPIED}
        factor = "x".join(f"{old / new:.3g}" for old, new in zip(inputNode.GetSpacing(), node.GetSpacing()))
        made = f"fused {min(node.GetSpacing()):.3g} mm" if others else f"SR {factor}"
        description = hierarchy.GetItemAttribute(inputItem, prefix + "SeriesDescription")
        attributes["SeriesDescription"] = f"{description} {made} not for diagnosis".strip()
        number = hierarchy.GetItemAttribute(inputItem, constants.GetDICOMSeriesNumberAttributeName())
        attributes["SeriesNumber"] = str(1000 + int(number)) if number.strip().isdigit() else ""
        attributes.update(Manufacturer="SuperResolution for 3D Slicer", Model=model_names(report))
        # The images that the result was made from, as Slicer names what a series refers to.
        items = [inputItem, *filter(None, (hierarchy.GetItemByDataNode(other) for other in others))]
        uids = [hierarchy.GetItemUID(each, constants.GetDICOMInstanceUIDName()) for each in items]
        attributes["ReferencedInstanceUIDs"] = " ".join(filter(None, uids))
        for name, value in attributes.items():
            if value:
                hierarchy.SetItemAttribute(item, prefix + name, value)
