"""The workbench: pages in Chinese for inspectors, departments and trainers, one file a noun."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api.pages import (
    admin,
    appeals,
    audit,
    call,
    calls,
    catalogue,
    coaching,
    dashboards,
    notices,
    orders,
    plans,
    signin,
    today,
)
from api.pages.rendering import STATIC

ROUTERS = (
    signin.router,
    today.router,
    orders.router,
    calls.router,
    call.router,
    dashboards.router,
    coaching.router,
    plans.router,
    appeals.router,
    notices.router,
    catalogue.router,
    admin.router,
    audit.router,
)


def mount(app: FastAPI) -> None:
    """Put the pages and their files into the application."""
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
