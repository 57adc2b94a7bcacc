"""Who may do what: roles, and the dependency that lets a request through or not."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.database import now, transaction
from api.limits import Limits
from api.problems import Problem
from api.service import Service, get_service
from api.tables import ApiKeyRow, SignInRow, UserRow

COOKIE = "hotline_qc"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Role = Literal["admin", "inspector", "department", "trainer", "auditor"]
ROLE_TITLES: Mapping[Role, str] = {
    "admin": "管理员",
    "inspector": "质检员",
    "department": "处置部门",
    "trainer": "培训员",
    "auditor": "审计员",
}

Permission = Literal[
    "orders:read",  # orders, their verdicts, inspections, findings, masked
    "orders:write",
    "recordings:read",  # the sound itself
    "recordings:write",
    "unmasked:read",
    "reviews:write",
    "appeals:write",
    "appeals:decide",
    "plans:read",
    "plans:write",
    "reports:read",
    "catalogue:read",
    "notices:read",
    "notices:settle",
    "jobs:read",
    "admin",
    "audit:read",
    "metrics:read",
]
PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))
KEY_SCOPES = PERMISSIONS - {"admin"}  # accounts and keys are the business of people

ROLES: Mapping[Role, frozenset[Permission]] = {
    "admin": PERMISSIONS,
    "inspector": PERMISSIONS - {"admin", "audit:read", "metrics:read", "appeals:write"},
    "department": frozenset(
        {
            "orders:read",
            "recordings:read",
            "recordings:write",
            "appeals:write",
            "reports:read",
            "catalogue:read",
            "notices:read",
            "jobs:read",
        }
    ),
    "trainer": frozenset({"orders:read", "plans:read", "reports:read", "catalogue:read"}),
    "auditor": frozenset({"audit:read", "catalogue:read"}),
}

Rows = TypeVar("Rows", bound=Select[Any])


@dataclass(frozen=True)
class Actor:
    """Who is asking: a person who has signed in, or a system with a key."""

    name: str  # of the account; `key:` and its name for a key
    role: Role | Literal["key"]
    permissions: frozenset[Permission]
    department: str = ""  # "" sees all
    user_id: str = ""  # "" for a key
    must_change: bool = False  # the password, before anything else

    @property
    def is_key(self) -> bool:
        return self.role == "key"

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def sees(self, department: str) -> bool:
        """Whether orders of that department are theirs to see."""
        return not self.department or self.department == department


def secret_hash(secret: str) -> str:
    """How cookies and keys are stored: they are long and random, so a fast hash suffices."""
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(request: Request, service: Service) -> Actor | None:
    """The actor of a request by its key or cookie; None where it has neither.

    Raises:
        Problem: 401 the key or cookie is not valid (any more); 403 a write with a cookie comes
            from another site.
    """
    if not hasattr(request.state, "actor"):
        request.state.actor = _authenticate(request, service)
    actor: Actor | None = request.state.actor
    return actor


def _authenticate(request: Request, service: Service) -> Actor | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    cookie = request.cookies.get(COOKIE)
    if not scheme and not cookie:
        return None
    with transaction(service.reader) as session:
        if scheme:
            actor = _by_key(session, token.strip()) if scheme.lower() == "bearer" else None
        else:
            actor = _by_cookie(session, cookie or "")
    if actor is None:
        raise unknown("密钥无效或已停用。" if scheme else "登录已过期，请重新登录。")
    if not actor.is_key:
        check_origin(request, service)
    return actor


def unknown(detail: str) -> Problem:
    """401."""
    return Problem(401, detail, kind="signed-out", headers={"WWW-Authenticate": "Bearer"})


def _by_key(session: Session, key: str) -> Actor | None:
    row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.hash == secret_hash(key)))
    if row is None or row.revoked_at is not None:
        return None
    permissions = frozenset(scope for scope in KEY_SCOPES if scope in row.scopes)
    return Actor(f"key:{row.name}", "key", permissions, row.department)


def _by_cookie(session: Session, cookie: str) -> Actor | None:
    user = session.scalar(
        select(UserRow)
        .join(SignInRow, SignInRow.user_id == UserRow.id)
        .where(SignInRow.id_hash == secret_hash(cookie), SignInRow.expires_at > now())
        .where(UserRow.active)
    )
    return as_actor(user) if user else None


def as_actor(user: UserRow) -> Actor:
    """A person with what their role may do."""
    role: Role = user.role  # type: ignore[assignment]
    department = user.department if role == "department" else ""
    return Actor(user.name, role, ROLES[role], department, user.id, user.must_change)


def check_origin(request: Request, service: Service) -> None:
    """Refuse a write that another site's page makes a browser send (CSRF).

    Raises:
        Problem: 403.
    """
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin", "")
    if origin and (origin == service.settings.site or _host(origin) == request.url.netloc):
        return
    raise Problem(403, "请求不是从本网站的页面发出的，已拒绝。", kind="foreign-origin")


def _host(origin: str) -> str:
    return origin.partition("://")[2]


_bearer = HTTPBearer(auto_error=False, description="系统密钥 hq_…")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="网页登录")


def signed_in(
    request: Request,
    service: Annotated[Service, Depends(get_service)],
    _key: Annotated[object, Depends(_bearer)] = None,
    _session: Annotated[object, Depends(_cookie)] = None,
) -> Actor:
    """Dependency: whoever is asking, as long as it is somebody.

    Raises:
        Problem: 401, 403 (see `authenticate`); 429 too many requests.
    """
    limits: Limits = request.app.state.limits
    try:
        actor = authenticate(request, service)
        if actor is None:
            raise unknown("请先登录，或在 Authorization 中给出密钥。")
    except Problem:
        limits.count_request(f"address:{address(request)}")
        raise
    limits.count_request(actor.name)
    return actor


def address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def allowed(permission: Permission) -> Callable[..., Actor]:
    """Dependency: the actor, who has that permission.

    Raises:
        Problem: as `signed_in`; 403 the actor may not, or must first change the password.
    """

    def actor_with_permission(actor: Annotated[Actor, Depends(signed_in)]) -> Actor:
        if actor.must_change:
            raise Problem(403, "请先修改初始密码。", kind="password-change-needed")
        if not actor.may(permission):
            raise Problem(403, "您的账号没有这项权限，如确有需要请联系管理员。", kind="forbidden")
        return actor

    return actor_with_permission


def visible(
    rows: Rows, actor: Actor, department: InstrumentedAttribute[str] | ColumnElement[str]
) -> Rows:
    """Only what the actor sees: a department's people see their own orders."""
    return rows.where(department == actor.department) if actor.department else rows
