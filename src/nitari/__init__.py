"""nitari (似たり, "looks alike"): turns a large pile of undescribed pictures into a "more like this" service."""

__version__ = "0.1.0"
