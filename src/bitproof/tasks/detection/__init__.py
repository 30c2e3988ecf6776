"""Detection: pictures with boxes and outlines, and the average precision of what a detector answers. No kind of the grid."""

from bitproof.tasks.detection.precision import AveragePrecision, Precision, target
from bitproof.tasks.detection.scenes import Coco, Scene, Scenes, Thing, coco, is_coco

__all__ = ["AveragePrecision", "Coco", "Precision", "Scene", "Scenes", "Thing", "coco", "is_coco", "target"]
