"""The routes, one file a noun. A new router is listed here, its routes in the access matrix."""

from fastapi import APIRouter

from api.routes import accounts, audit, catalogue, health, keys, session

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    accounts.router,
    keys.router,
    audit.router,
    catalogue.router,
    health.router,
)
