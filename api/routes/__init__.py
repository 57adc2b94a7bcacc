"""The routes, one file a noun. A new router is listed here, its routes in the access matrix."""

from fastapi import APIRouter

from api.routes import (
    accounts,
    appeals,
    audit,
    catalogue,
    contacts,
    findings,
    health,
    inspections,
    jobs,
    keys,
    notices,
    orders,
    plans,
    recordings,
    reports,
    reviews,
    session,
    sound,
    uploads,
)

ROUTERS: tuple[APIRouter, ...] = (
    orders.router,
    recordings.router,
    sound.router,
    inspections.router,
    uploads.router,
    findings.router,
    jobs.router,
    reviews.router,
    appeals.router,
    plans.router,
    reports.router,
    notices.router,
    contacts.router,
    session.router,
    accounts.router,
    keys.router,
    audit.router,
    catalogue.router,
    health.router,
)
