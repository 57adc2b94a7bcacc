"""What the documentation promises holds for whatever is sent: no 5xx, no undocumented answer."""

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,  # Starlette's 405 names one route only
    ignored_auth,  # asks without credentials; the access matrix does that better
    positive_data_acceptance,  # a schema cannot say that a password is easily guessed
)

from api.access import COOKIE
from api.service import Service
from tests.api.people import SITE, open_session

EXAMPLES = 10  # requests of each route
EXCLUDED = [allow_header_conformance, ignored_auth, positive_data_acceptance]


def test_every_answer_is_as_documented(
    app: FastAPI, service: Service, subtests: pytest.Subtests
) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answers_as_documented(case: schemathesis.Case) -> None:
            case.call_and_validate(
                base_url=SITE,
                headers={"Origin": SITE},
                cookies={COOKIE: open_session(service, "admin")},
                excluded_checks=EXCLUDED,
            )

        with subtests.test(operation.label):
            answers_as_documented()
