"""Every page and what it needs: a permission, a sign-in, or nothing."""

from collections.abc import Mapping
from typing import Literal

from api.access import Permission

Need = Permission | Literal["sign-in", "nothing"]

MATRIX: Mapping[str, Need] = {
    "GET /": "nothing",
    "GET /signin": "nothing",
    "POST /signin": "nothing",
    "POST /signout": "sign-in",
    "GET /password": "sign-in",
    "POST /password": "sign-in",
    "GET /today": "catalogue:read",
    "GET /orders": "orders:read",
    "GET /orders/upload": "orders:read",
    "POST /orders/import": "orders:write",
    "POST /orders/match": "orders:read",
    "GET /orders/{order_id}": "orders:read",
    "GET /orders/{order_id}/state": "orders:read",
    "POST /orders/{order_id}/inspect": "orders:write",
    "POST /orders/{order_id}/visits": "orders:write",
    "GET /calls": "orders:read",
    "GET /calls/{recording_id}": "orders:read",
    "GET /calls/{recording_id}/state": "orders:read",
    "POST /calls/{recording_id}/inspect": "orders:write",
    "POST /calls/{recording_id}/findings/{finding_id}/review": "reviews:write",
    "POST /calls/{recording_id}/findings/{finding_id}/appeal": "appeals:write",
    "POST /calls/{recording_id}/missed": "reviews:write",
    "GET /plans": "plans:read",
    "GET /plans/new": "plans:write",
    "POST /plans": "plans:write",
    "GET /plans/{plan_id}": "plans:read",
    "POST /plans/{plan_id}/picks/{pick_id}": "reviews:write",
    "GET /appeals": "orders:read",
    "POST /appeals/{appeal_id}/decision": "appeals:decide",
    "GET /dashboards": "reports:read",
    "GET /coaching": "reports:read",
    "GET /coaching/report": "reports:read",
    "POST /coaching/trainings": "plans:write",
    "GET /notices": "notices:read",
    "POST /notices/deliveries/{delivery_id}": "notices:settle",
    "POST /notices/contacts": "admin",
    "POST /notices/contacts/{contact_id}": "admin",
    "POST /notices/contacts/{contact_id}/test": "admin",
    "GET /catalogue": "catalogue:read",
    "POST /catalogue/try": "catalogue:read",
    "GET /admin": "admin",
    "POST /admin/accounts": "admin",
    "POST /admin/accounts/{name}": "admin",
    "POST /admin/keys": "admin",
    "POST /admin/keys/{key_id}/revoke": "admin",
    "GET /audit": "audit:read",
    "GET /audit/verification": "audit:read",
}
