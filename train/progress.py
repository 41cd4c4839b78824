"""Progress of long work on standard error: ``nitari.steps.progress``, which the serving side shows too."""

from nitari.steps.progress import Progress, clock

__all__ = ["Progress", "clock"]
