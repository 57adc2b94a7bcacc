"""Where one can go: the entries of the bar at the top, each with what it needs."""

from typing import NamedTuple

from api.access import Permission


class Place(NamedTuple):
    """An entry of the bar."""

    address: str
    title: str
    permission: Permission

    def holds(self, path: str) -> bool:
        """Whether a page lies there."""
        return path == self.address or path.startswith(f"{self.address}/")


PLACES = (
    Place("/today", "今日", "catalogue:read"),
    Place("/orders", "工单", "orders:read"),
    Place("/calls", "录音", "orders:read"),
    Place("/plans", "抽检", "plans:read"),
    Place("/appeals", "申诉", "orders:read"),
    Place("/dashboards", "看板", "reports:read"),
    Place("/coaching", "辅导报表", "reports:read"),
    Place("/notices", "通知", "notices:read"),
    Place("/catalogue", "规则", "catalogue:read"),
    Place("/admin", "管理", "admin"),
    Place("/audit", "审计", "audit:read"),
)
