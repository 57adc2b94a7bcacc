"""The routes, one file a noun. A new router is listed here, its routes in the access matrix."""

from fastapi import APIRouter

from api.routes import (
    accounts,
    audit,
    catalogue,
    findings,
    health,
    jobs,
    keys,
    orders,
    recordings,
    session,
    uploads,
)

ROUTERS: tuple[APIRouter, ...] = (
    orders.router,
    recordings.router,
    uploads.router,
    findings.router,
    jobs.router,
    session.router,
    accounts.router,
    keys.router,
    audit.router,
    catalogue.router,
    health.router,
)
