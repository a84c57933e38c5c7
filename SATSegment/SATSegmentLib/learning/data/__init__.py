"""Training data: records, preprocessing, splits, sampling, augmentation. Docs/training-data.md tells how to write it.

from SATSegmentLib.learning.data import CaseCache, PatchDataset, Recipe, read_records, split

parts = split(read_records(["ours.jsonl"]).records, {"train": 0.8, "val": 0.2})
cache = CaseCache("cache", spacing=(1, 1, 3))
train = PatchDataset(cache.prepare(parts["train"]).cases, Recipe(window=(288, 288, 96)), seed=0)
train.sample(0)          # TrainingSample
"""

from SATSegmentLib.learning.data.cache import CaseCache, CaseList
from SATSegmentLib.learning.data.errors import CacheError, Problem, RecipeError, RecordError, SplitError
from SATSegmentLib.learning.data.patches import PatchDataset
from SATSegmentLib.learning.data.recipe import NO_AUGMENTATION, Augmentation, Recipe
from SATSegmentLib.learning.data.records import Record, RecordList, read_records
from SATSegmentLib.learning.data.split import split, split_by_file

__all__ = [
    "NO_AUGMENTATION",
    "Augmentation",
    "CacheError",
    "CaseCache",
    "CaseList",
    "PatchDataset",
    "Problem",
    "Recipe",
    "RecipeError",
    "Record",
    "RecordError",
    "RecordList",
    "SplitError",
    "read_records",
    "split",
    "split_by_file",
]
