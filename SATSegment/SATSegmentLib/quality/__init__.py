"""What is measured of results, and when not to believe them: statistics and plausibility flags."""

from SATSegmentLib.quality.assess import assess

__all__ = ["assess"]
