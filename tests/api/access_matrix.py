"""Every route and what it needs: a permission, a sign-in, or nothing."""

from collections.abc import Mapping
from typing import Literal

from api.access import Permission

Need = Permission | Literal["sign-in", "nothing"]

MATRIX: Mapping[str, Need] = {
    "GET /health": "nothing",
    "GET /ready": "nothing",
    "GET /metrics": "metrics:read",
    "GET /api/v1/openapi.json": "nothing",
    "POST /api/v1/session": "nothing",
    "GET /api/v1/session": "sign-in",
    "DELETE /api/v1/session": "sign-in",
    "PUT /api/v1/session/password": "sign-in",
    "GET /api/v1/accounts": "admin",
    "POST /api/v1/accounts": "admin",
    "GET /api/v1/accounts/{name}": "admin",
    "PATCH /api/v1/accounts/{name}": "admin",
    "PUT /api/v1/accounts/{name}/password": "admin",
    "GET /api/v1/keys": "admin",
    "POST /api/v1/keys": "admin",
    "DELETE /api/v1/keys/{key_id}": "admin",
    "GET /api/v1/audit": "audit:read",
    "GET /api/v1/audit/verification": "audit:read",
    "GET /api/v1/catalogue/rules": "catalogue:read",
    "GET /api/v1/catalogue/rules/{rule_id}": "catalogue:read",
    "GET /api/v1/catalogue/profiles": "catalogue:read",
    "GET /api/v1/catalogue/profiles/{profile_id}": "catalogue:read",
    "POST /api/v1/catalogue/try": "catalogue:read",
}
