"""Figures for Prometheus: requests, and the queue as it is when asked."""

from collections.abc import Iterator

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_fastapi_instrumentator import Instrumentator
from sqlalchemy import func, select

from api.access import allowed
from api.database import now, transaction
from api.service import Service
from api.tables import DeliveryRow, JobRow

JOB_STATUSES = ("queued", "running", "done", "failed", "cancelled")
DELIVERY_STATUSES = ("queued", "sending", "sent", "uncertain", "dead")


def measure(app: FastAPI, service: Service) -> None:
    """Count the application's requests and add `/metrics`."""
    registry = CollectorRegistry()
    registry.register(_Tables(service))
    Instrumentator(registry=registry).instrument(app).expose(
        app, include_in_schema=False, dependencies=[Depends(allowed("metrics:read"))]
    )


class _Tables:
    """Gauges read from the tables."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        with transaction(self._service.reader) as session:
            jobs = dict(
                session.execute(select(JobRow.status, func.count()).group_by(JobRow.status)).all()
            )
            deliveries = dict(
                session.execute(
                    select(DeliveryRow.status, func.count()).group_by(DeliveryRow.status)
                ).all()
            )
            oldest = session.scalar(
                select(func.min(JobRow.created_at)).where(JobRow.status == "queued")
            )
        yield _by_status("hotline_qc_jobs", "Jobs by status", JOB_STATUSES, jobs)
        yield _by_status(
            "hotline_qc_deliveries", "Notice deliveries by status", DELIVERY_STATUSES, deliveries
        )
        age = (now() - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily(
            "hotline_qc_queue_age_seconds", "How long the oldest queued job has waited", age
        )


def _by_status(
    name: str, text: str, statuses: tuple[str, ...], counts: dict[str, int]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["status"])
    for status in statuses:
        gauge.add_metric([status], counts.get(status, 0))
    return gauge
