"""What can go wrong in a training, as types of their own."""

from __future__ import annotations

from SATSegmentLib.errors import SATSegmentError


class TrainingError(SATSegmentError):
    """The training cannot start or go on."""


class NonFiniteLoss(TrainingError):
    """The loss or its gradient is not a number any more."""


class ConfigError(TrainingError):
    """The configuration holds something that is unknown, missing or impossible."""
