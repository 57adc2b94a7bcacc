"""What filters offer to choose from."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, visible
from api.tables import OrderRow


def departments(session: Session, actor: Actor) -> list[str]:
    """Departments that the actor sees, by name."""
    rows = visible(select(OrderRow.department).distinct(), actor, OrderRow.department)
    return sorted(name for name in session.scalars(rows) if name)


def handlers(session: Session, actor: Actor, department: str = "") -> list[str]:
    """Handlers that the actor sees, of one department or of all."""
    rows = visible(select(OrderRow.handler).distinct(), actor, OrderRow.department)
    if department:
        rows = rows.where(OrderRow.department == department)
    return sorted(name for name in session.scalars(rows) if name)
