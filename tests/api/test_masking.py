"""Personal data is masked for every reader who has not asked for it whole and may."""

import json

import pytest

from api.access import ROLES, Actor
from api.masking import View, view_for
from api.problems import Problem
from qc.filed import Filing
from qc.order import Order

ORDER = Order(
    order_id="20240611137123456",
    petitioner="顾海峰",
    address="南泉新苑12号501室",
    issue="顾海峰反映楼道堆物，电话13812345678",
)
SECRETS = ("海峰", "13812345678", "501室", "31010119900307")
STORED = {
    "order_id": ORDER.order_id,
    "elements": {
        "fc.verify": {
            "evidence": [{"quote": "您是顾海峰先生吗，住501室", "start": 1.5, "turn": 0}],
            "slots": {
                "address": {"said": "12号501室", "filed": "南泉新苑12号501室", "agrees": True},
                "name": {"said": "顾海峰", "filed": "顾海峰", "agrees": True},
            },
        }
    },
    "mismatches": [
        {"field": "address", "said": "12号501室", "filed": "13号501室", "quote": "501室"}
    ],
    "warnings": ["身份证31010119900307123X"],
    "at": "2024-06-11T09:30:15.123456+08:00",
    "sha256": "12345678901234567890123456789012",
}


def actor(role: str) -> Actor:
    return Actor(role, role, ROLES[role])  # type: ignore[arg-type, index]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_shown_masked_data_at_first(role: str) -> None:
    shown = json.dumps(view_for(actor(role)).stored(STORED, ORDER), ensure_ascii=False)
    assert not [secret for secret in SECRETS if secret in shown]


def test_what_is_no_personal_data_stays() -> None:
    shown = View(unmasked=False).stored(STORED, ORDER)
    for key in ("order_id", "at", "sha256"):
        assert shown[key] == STORED[key]
    evidence = shown["elements"]["fc.verify"]["evidence"][0]
    assert (evidence["start"], evidence["turn"]) == (1.5, 0)
    assert shown["elements"]["fc.verify"]["slots"]["name"]["filed"] == "顾**"
    assert "南泉新苑" in shown["elements"]["fc.verify"]["slots"]["address"]["filed"]


def test_order_and_filing_are_masked() -> None:
    filing = Filing.model_validate(
        {
            "reply_summary": "已联系顾海峰，电话13812345678，住501室",
            "replied_at": "2024-06-12 10:00",
            "attempts": [{"at": "2024-06-11 10:00", "answered": True}],
            "return_visits": [
                {"at": "2024-06-13", "satisfaction": "dissatisfied", "remark": "13812345678不接"}
            ],
        }
    )
    view = View(unmasked=False)
    shown = view.filing(filing, ORDER)
    told = view.order(ORDER).model_dump_json() + shown.model_dump_json()
    assert not [secret for secret in SECRETS if secret in told]
    assert (shown.replied_at, shown.attempts) == (filing.replied_at, filing.attempts)
    assert shown.return_visits[0].satisfaction == "dissatisfied"


@pytest.mark.parametrize("role", ROLES)
def test_unmasked_data_needs_the_permission(role: str) -> None:
    if "unmasked:read" in ROLES[role]:  # type: ignore[index]
        assert view_for(actor(role), unmasked=True).stored(STORED, ORDER) == STORED
    else:
        with pytest.raises(Problem) as refusal:
            view_for(actor(role), unmasked=True)
        assert refusal.value.status == 403
