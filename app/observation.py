"""Logs, one JSON object a line and never with a text, and metrics for Prometheus."""

import json
import logging
import sys
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter("http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
        self.seconds = Histogram(
            "http_request_seconds", "Seconds to answer", ["route"], buckets=BUCKETS, registry=registry
        )
        self.batch = Histogram(
            "batch_texts", "Texts read together", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self.waiting = Gauge("waiting_texts", "Texts that wait to be read", registry=registry)
        self.loads = Counter("model_loads", "Replacements of the model", ["outcome"], registry=registry)


def log(event: str, level: str = "info", **fields: Any) -> None:
    """Write one line of the log to stderr."""
    line = {"time": time.strftime("%FT%T%z"), "level": level, "event": event} | fields
    print(json.dumps(line), file=sys.stderr, flush=True)


class JsonLines(logging.Handler):
    """Writes what libraries log, but no tracebacks, whose messages could quote a text."""

    def emit(self, record: logging.LogRecord) -> None:
        log("library", level=record.levelname.lower(), logger=record.name, message=record.getMessage().strip())
