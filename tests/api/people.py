"""Accounts, sign-ins and settings for the tests."""

import secrets
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, Role, as_actor, secret_hash
from api.accounts import create_account
from api.database import now, transaction
from api.service import Service
from api.settings import Settings
from api.tables import SignInRow, UserRow

SITE = "http://testserver"
PASSWORD = "correct-horse-7"
DEPARTMENT = "城管中队"  # of the department's account


def settings_for(folder: Path, database_url: str, **changes: object) -> Settings:
    """Settings that no environment variable or file changes."""
    given = {
        "data_folder": folder,
        "database_url": database_url,
        "admin_password": PASSWORD,
        "requests_per_minute": 100_000,
        "logins_per_minute": 1000,
        **changes,
    }
    return Settings(_env_file=None, **given)


def account(session: Session, role: Role, department: str = DEPARTMENT) -> UserRow:
    """The account of that role (and department), made where there is none."""
    department = department if role == "department" else ""
    name = "admin" if role == "admin" else f"{role}.{department}".rstrip(".")
    user = session.scalar(select(UserRow).where(UserRow.name == name))
    if user is None:
        user = create_account(session, "test", name, PASSWORD, role, department=department)
        user.must_change = False
    return user


def open_session(service: Service, role: Role, department: str = DEPARTMENT) -> str:
    """The cookie of a new sign-in of that role."""
    cookie = secrets.token_urlsafe()
    with transaction(service.engine) as session:
        user = account(session, role, department)
        session.add(
            SignInRow(
                id_hash=secret_hash(cookie),
                user_id=user.id,
                expires_at=now() + timedelta(hours=1),
            )
        )
    return cookie


def actor_of(service: Service, role: Role, department: str = DEPARTMENT) -> Actor:
    """The actor that `sign_in(role, department)` is."""
    with transaction(service.engine) as session:
        return as_actor(account(session, role, department))
