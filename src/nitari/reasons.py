"""Why a row of the catalog is unreadable; its ``message`` has the particulars."""

MISSING = "missing"
REASONS = {
    MISSING: "the source names it, but it is not there",
    "unreadable_file": "the operating system could not read it",
    "refused": "its name leads outside its source, or it is a link or a device",
    "empty": "it has no bytes",
    "too_many_bytes": "larger than limits.max_bytes",
    "too_many_pixels": "its header says more than limits.max_pixels",
    "too_many_frames": "its header says more than limits.max_frames",
    "not_a_picture": "it does not begin like any picture",
    "format": "a picture of a format that is not read",
    "unsupported": "a readable format with a feature that its decoder lacks",
    "truncated": "it ends too early",
    "damaged": "its contents contradict themselves",
    "memory": "there was not enough memory to decode it",
    "timeout": "it took longer than limits.seconds",
    "crashed": "the worker process that decoded it died",
}
PASSING = (MISSING, "unreadable_file", "memory", "timeout", "crashed")
"""Reasons that may not hold the next time; ingest tries these again."""
