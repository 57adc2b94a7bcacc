"""Accounts of people, their sign-ins, and the keys of systems."""

import secrets
from datetime import timedelta
from functools import lru_cache

from pwdlib import PasswordHash
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from api.access import Actor, Permission, Role, secret_hash
from api.audit import lock, record
from api.database import now, transaction
from api.problems import Problem, not_found
from api.tables import ApiKeyRow, SignInRow, UserRow

FIRST_ADMIN = "admin"
MIN_PASSWORD = 10  # characters
MAX_PASSWORD = 200
KEY_BYTES = 32
SYSTEM = "system"  # the actor where nobody asked


@lru_cache(maxsize=1)
def _passwords() -> PasswordHash:
    return PasswordHash.recommended()  # Argon2id


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Checked where there is no such account, so that the time taken does not tell."""
    return _passwords().hash(secrets.token_urlsafe())


def make_first_admin(engine: Engine, password: SecretStr | None) -> None:
    """Make the first account where there is none; a random password is shown once."""
    with transaction(engine) as session:
        lock(session)  # server and workers may begin at once
        if session.scalar(select(func.count()).select_from(UserRow)):
            return
        chosen = password.get_secret_value() if password else secrets.token_urlsafe(12)
        user = create_account(session, SYSTEM, FIRST_ADMIN, chosen, "admin", title="管理员")
        user.must_change = password is None
    if password is None:
        Console(stderr=True).print(
            f"已建立管理员账号 {FIRST_ADMIN}，初始密码：{chosen}\n"
            "这个密码只显示这一次；首次登录后请修改。",
            highlight=False,
            markup=False,
        )


def create_account(
    session: Session,
    actor: Actor | str,
    name: str,
    password: str,
    role: Role,
    *,
    department: str = "",
    title: str = "",
) -> UserRow:
    """A new account, whose password must be changed at the first sign-in.

    Raises:
        Problem: 409 the name is taken; 422 the password is too short, or the department is missing.
    """
    if session.scalar(select(UserRow.id).where(UserRow.name == name)):
        raise Problem(409, f"账号“{name}”已经存在，请换一个名称。", kind="name-taken")
    check_password(password, name)
    check_department(role, department)
    user = UserRow(
        name=name,
        title=title,
        password_hash=_passwords().hash(password),
        role=role,
        department=department,
        active=True,
        must_change=True,
    )
    session.add(user)
    record(session, actor, "account.create", name, f"{role} {department}".strip())
    return user


def check_password(password: str, name: str) -> None:
    """Refuse a password that is easily guessed.

    Raises:
        Problem: 422.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        detail = f"密码应为 {MIN_PASSWORD} 到 {MAX_PASSWORD} 个字符。"
    elif len(set(password)) < 4 or name.lower() in password.lower():
        detail = "密码太容易猜到，请不要用重复的字符或账号名。"
    else:
        return
    raise Problem(422, detail, kind="weak-password")


def check_department(role: Role, department: str) -> None:
    """An account of a department needs one: without it, it would see all.

    Raises:
        Problem: 422.
    """
    if role == "department" and not department.strip():
        raise Problem(422, "处置部门的账号必须写明部门。", kind="department-missing")


def find_account(session: Session, name: str) -> UserRow:
    """The account of that name.

    Raises:
        Problem: 404.
    """
    user = session.scalar(select(UserRow).where(UserRow.name == name).with_for_update())
    if user is None:
        raise not_found("账号")
    return user


def check_some_admin_left(session: Session) -> None:
    """Refuse a change that leaves nobody who can manage accounts.

    Raises:
        Problem: 409.
    """
    session.flush()
    admins = select(func.count()).where(UserRow.role == "admin", UserRow.active)
    if not session.scalar(admins):
        raise Problem(409, "至少要留一个启用的管理员账号。", kind="last-admin")


def sign_in(engine: Engine, name: str, password: str, hours: float) -> tuple[UserRow, str]:
    """Check a password and begin a sign-in; takes as long for a name that does not exist.

    Returns:
        The account, and the value for the cookie, which is not stored.

    Raises:
        Problem: 401 name or password is wrong, or the account is not active.
    """
    with transaction(engine) as session:
        user = session.scalar(select(UserRow).where(UserRow.name == name, UserRow.active))
        stored = user.password_hash if user else _nobodys_hash()
    right, renewed = _passwords().verify_and_update(password, stored)
    with transaction(engine) as session:
        known = session.get(UserRow, user.id) if user else None
        if right and known and known.active:
            if renewed:
                known.password_hash = renewed
            cookie = _begin_sign_in(session, known, hours)
            record(session, known.name, "session.open", known.name)
            return known, cookie
        record(session, SYSTEM, "session.refuse", known.name if known else "")
    raise Problem(401, "账号或密码不对。", kind="wrong-password")


def _begin_sign_in(session: Session, user: UserRow, hours: float) -> str:
    cookie = secrets.token_urlsafe(KEY_BYTES)
    session.execute(delete(SignInRow).where(SignInRow.expires_at <= now()))
    session.add(
        SignInRow(
            id_hash=secret_hash(cookie),
            user_id=user.id,
            expires_at=now() + timedelta(hours=hours),
        )
    )
    return cookie


def sign_out(session: Session, cookie: str) -> None:
    """End one sign-in."""
    session.execute(delete(SignInRow).where(SignInRow.id_hash == secret_hash(cookie)))


def sign_out_everywhere(session: Session, user: UserRow, *, but: str = "") -> None:
    """End every sign-in of an account, except that of the cookie `but`."""
    session.execute(
        delete(SignInRow).where(SignInRow.user_id == user.id, SignInRow.id_hash != secret_hash(but))
    )


def set_password(user: UserRow, password: str, *, must_change: bool) -> None:
    """Give an account a new password.

    Raises:
        Problem: 422 the password is too weak.
    """
    check_password(password, user.name)
    user.password_hash = _passwords().hash(password)
    user.must_change = must_change


def is_password_of(user: UserRow, password: str) -> bool:
    """Whether that is the account's password."""
    return _passwords().verify(password, user.password_hash)


def create_key(
    session: Session,
    actor: Actor,
    name: str,
    scopes: set[Permission],
    department: str = "",
) -> tuple[ApiKeyRow, str]:
    """A new key for a system.

    Returns:
        Its row, and the key, which is not stored and cannot be shown again.

    Raises:
        Problem: 409 the name is taken; names are never used twice, for the audit log's sake.
    """
    if session.scalar(select(ApiKeyRow.id).where(ApiKeyRow.name == name)):
        raise Problem(409, f"密钥“{name}”已经存在，请换一个名称。", kind="name-taken")
    key = f"hq_{secrets.token_urlsafe(KEY_BYTES)}"
    row = ApiKeyRow(
        name=name,
        hash=secret_hash(key),
        scopes=sorted(scopes),
        department=department,
        created_by=actor.name,
    )
    session.add(row)
    record(session, actor, "key.create", name, " ".join([*row.scopes, department]).strip())
    return row, key
