"""How often one may ask: counted in this process, by actor or address."""

import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from api.problems import Problem, too_many
from api.settings import Settings


class Limits:
    """Counters of requests and of sign-in attempts."""

    def __init__(self, settings: Settings) -> None:
        self._window = FixedWindowRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute, namespace="requests")
        self._logins = RateLimitItemPerMinute(settings.logins_per_minute, namespace="logins")

    def count_request(self, who: str) -> None:
        """Count one request of an actor.

        Raises:
            Problem: 429 the minute's allowance is used up.
        """
        self._count(self._requests, who, "请求太多")

    def count_login(self, address: str) -> None:
        """Count one attempt to sign in, right or wrong.

        Raises:
            Problem: 429.
        """
        self._count(self._logins, address, "登录尝试太多")

    def _count(self, limit: RateLimitItemPerMinute, who: str, what: str) -> None:
        if not self._window.hit(limit, who):
            raise self._refusal(limit, who, what)

    def _refusal(self, limit: RateLimitItemPerMinute, who: str, what: str) -> Problem:
        return too_many(what, self._window.get_window_stats(limit, who).reset_time - time.time())
