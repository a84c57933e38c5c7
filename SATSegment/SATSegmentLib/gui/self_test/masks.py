"""A mask that is written into a segmentation is read back where it was."""

from __future__ import annotations

import numpy as np
import slicer

from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.types import SegmentResult


def segmentsLieInTheVolumesGrid() -> None:
    """Written and read back through Slicer's own array functions, under a transform."""
    full = np.zeros((8, 10, 12), bool)
    full[2:5, 3:7, 4:9] = True
    full[2, 3, 4] = False
    volumeNode = slicer.util.addVolumeFromArray(full.astype(np.int16))
    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    result = SegmentResult(
        prompt=prompts_for("brainstem", "mri")[0],
        status="found",
        cropped=CroppedMask.from_array(full),
        voxels=int(full.sum()),
        volume_ml=0.0,
        mean_probability=1.0,
        max_probability=1.0,
        cut_by=(),
        orientation="RAS",
        device="cpu",
        precision="float32",
        seconds=0.0,
    )
    segmentationNode = createSegmentation(volumeNode)
    written = writeResults(segmentationNode, volumeNode, [result])
    found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, written.segmentIds[0], volumeNode)
    np.testing.assert_array_equal(found > 0, full)
