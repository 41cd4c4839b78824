"""The sample: 2,457 PNG pictures inside the wheel ``diagrams``, logos and icons of cloud services."""

from __future__ import annotations

import os
from importlib import metadata
from typing import Any

import pyarrow as pa

from nitari.errors import MissingExtraError
from nitari.source.listing import Listing, finish


class SampleSource:
    """Columns ``provider`` and ``category`` come from the paths; the package is found, and never imported."""

    def __init__(self, name: str = "sample") -> None:
        self.name = name

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "sample", "package": "diagrams"}

    def listing(self) -> pa.Table:
        try:
            distribution = metadata.distribution("diagrams")
        except metadata.PackageNotFoundError:
            raise MissingExtraError("diagrams", "samples") from None
        listing = Listing(self.name)
        providers, categories = [], []
        for file in sorted(distribution.files or (), key=str):
            if file.suffix != ".png" or file.parts[0] != "resources":
                continue
            location = str(distribution.locate_file(file))
            key = "/".join(file.parts[1:])
            try:
                status = os.stat(location)
                listing.add(key, location, size=status.st_size, fingerprint=f"{status.st_size}-{status.st_mtime_ns}")
            except OSError:
                listing.add(key, location, reason="missing", message="The package 'diagrams' is not complete")
            providers.append(file.parts[1])
            categories.append(file.parts[2] if len(file.parts) > 3 else None)
        data = pa.table({"provider": pa.array(providers, pa.string()), "category": pa.array(categories, pa.string())})
        return finish(listing.table(), data, "the package 'diagrams'")
