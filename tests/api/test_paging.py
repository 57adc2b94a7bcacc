"""Pages of a list lose and repeat nothing, whatever is added meanwhile."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from api.database import now, transaction
from api.paging import Wanted, read_page
from api.service import Service
from api.tables import OrderRow

START = now()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hours=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    limit=st.integers(1, 5),
    newest_first=st.booleans(),
)
def test_the_pages_together_are_the_list(
    service: Service, hours: list[int], limit: int, newest_first: bool
) -> None:
    with transaction(service.engine) as session:
        session.execute(delete(OrderRow))
        for number, hour in enumerate(hours):
            received = START + timedelta(hours=hour)
            session.add(
                OrderRow(order_id=f"o{number}", profile="weifang", order={}, received_at=received)
            )
    seen: list[OrderRow] = []
    after = None
    while True:
        with transaction(service.reader) as session:
            rows, after = read_page(
                session,
                select(OrderRow),
                [OrderRow.received_at, OrderRow.id],
                Wanted(limit, after),
                newest_first=newest_first,
            )
        assert len(rows) <= limit
        seen += rows
        if after is None:
            break
    keys = [(row.received_at, row.id) for row in seen]
    assert keys == sorted(keys, reverse=newest_first)
    assert len(set(keys)) == len(hours)
