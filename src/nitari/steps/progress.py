"""Progress of long work: done, rate and time left, on standard error."""

from __future__ import annotations

import sys
import time


class Progress:
    """Call it with (done, total). Redraws one line on a terminal; elsewhere prints a line every ten seconds."""

    def __init__(self, label: str, unit: str = "pictures") -> None:
        self.label = label
        self.unit = unit
        self.start: float | None = None
        self.first = 0
        self.shown = 0.0
        self.terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.start is None:  # what an earlier, killed run had done does not count for the rate
            self.start, self.first = now, done
        last = done >= total
        if not last and now - self.shown < (0.2 if self.terminal else 10.0):
            return
        self.shown = now
        seconds = now - self.start
        rate = (done - self.first) / seconds if seconds > 0.05 else 0.0
        left = (
            f", {clock((total - done) / rate)} left" if rate and not last else f" in {clock(seconds)}" if last else ""
        )
        line = f"{self.label}: {done:,}/{total:,} {self.unit}, {rate:,.0f}/s{left}"
        if self.terminal:
            sys.stderr.write(f"\r\033[K{line}" + ("\n" if last else ""))
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def clock(seconds: float) -> str:
    """Seconds as people read them: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
