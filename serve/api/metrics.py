"""Metrics for Prometheus: requests by route, stages, candidates, planner choices. Summed over the worker processes."""

from __future__ import annotations

import os
import time
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_COUNTS = (16, 64, 128, 256, 512, 1024, 4096, 16384, 65536, 1_000_000)


class Metrics:
    """One registry an app, so that several apps in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._followed: tuple[str, dict[str, Counts[str]]] = ("", {})
        self.requests = Counter("nitari_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.latency = Histogram(
            "nitari_request_seconds",
            "From the first byte to the last of the answer",
            ["route"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.stages = Histogram(
            "nitari_stage_seconds", "Parts of an answer", ["stage"], registry=self.registry, buckets=_SECONDS
        )
        self.candidates = Histogram(
            "nitari_candidates", "Rows that were scored for an answer", registry=self.registry, buckets=_COUNTS
        )
        self.plans = Counter(
            "nitari_plans", "Searches by the plan that answered them", ["space", "plan"], registry=self.registry
        )
        self.swaps = Counter("nitari_release_swaps", "Releases that were switched to", registry=self.registry)
        self.items = Gauge(
            "nitari_items", "Items that can be found", registry=self.registry, multiprocess_mode="mostrecent"
        )
        self.refused = Gauge(
            "nitari_release_refused",
            "1 while the collection's current release cannot be opened",
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def follow(self, release: str, plans: Mapping[str, Counts[str]]) -> None:
        """Count what was planned since the last call for that release."""
        if release != self._followed[0]:
            self._followed = (release, {})
        for space, counts in plans.items():
            before = self._followed[1].get(space, Counts())
            for plan, count in (counts - before).items():
                self.plans.labels(space, plan).inc(count)
            self._followed[1][space] = counts

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name).observe(time.perf_counter() - start)

    def text(self) -> bytes:
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)
