"""What a gateway counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.answer import Answer

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The metrics of one process; labels hold routes, codes and outcomes, never anything of a request."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "screening_requests", "requests by route, method and status code", ("route", "method", "status"), registry=self._registry
        )
        self.request_seconds = Histogram(
            "screening_request_seconds", "time from request to answer", ("route",), buckets=SECONDS, registry=self._registry
        )
        self.decode_seconds = Histogram(
            "screening_decode_seconds", "time for a file in the decoders, waiting included", buckets=SECONDS, registry=self._registry
        )
        self.answers = Counter("screening_answers", "answers by outcome and reason", ("outcome", "reason"), registry=self._registry)
        self.positives = Counter("screening_positives", "positive answers by stage", ("stage",), registry=self._registry)
        self.waiting = Gauge("screening_waiting_requests", "requests that wait or are worked on", registry=self._registry)

    def count(self, answer: Answer) -> None:
        """Count one answer."""
        self.answers.labels(answer.outcome, answer.reason or "").inc()
        for stage in ("pneumonia", "covid"):
            if getattr(answer, f"{stage}_positive"):
                self.positives.labels(stage).inc()

    def text(self) -> bytes:
        """Return every metric in the text format of Prometheus."""
        return generate_latest(self._registry)
