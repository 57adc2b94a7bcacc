"""The rules over the API."""

import pytest
from fastapi.testclient import TestClient

from qc.catalogue import load_catalogue, profile_names

RULES = "/api/v1/catalogue/rules"


def test_every_rule_names_its_source_and_examples(client: TestClient) -> None:
    rules = client.get(RULES).json()
    known = load_catalogue()
    ids = {rule["id"] for rule in rules}
    assert {rule.id for rule in (*known.behaviours, *known.signals)} <= ids
    for rule in rules:
        assert rule["yes"] or rule["family"] == "element"
        assert rule["family"] == "facet" or rule["source"]["title"]


def test_rules_are_filtered(client: TestClient) -> None:
    replies = client.get(RULES, params={"family": "element", "kind": "reply"}).json()
    assert replies and all(rule["id"].startswith("rp.") for rule in replies)


def test_a_street_has_its_own_rules(client: TestClient) -> None:
    path = f"{RULES}/bh.leak"
    common = client.get(path).json()
    street = client.get(path, params={"profile": "sheshan"}).json()
    assert street["penalty"] != common["penalty"]


@pytest.mark.parametrize(
    "path",
    [f"{RULES}/bh.none", "/api/v1/catalogue/profiles/none", f"{RULES}?profile=../x"],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_profiles_say_where_they_differ(client: TestClient) -> None:
    listed = client.get("/api/v1/catalogue/profiles").json()
    assert [profile["id"] for profile in listed] == profile_names()
    whole = client.get("/api/v1/catalogue/profiles/sheshan").json()
    assert whole["timing"] and "bh.leak" in whole["changes"]


def test_a_sentence_is_judged_by_cues_and_by_the_learned_layer(client: TestClient) -> None:
    sentence = {"text": "我跟你保证明天肯定给你拆掉"}
    heard = client.post("/api/v1/catalogue/try", json=sentence).json()["heard"]
    promise = next(one for one in heard if one["id"] == "bh.promise")
    assert promise["found"] and {"cue", "learned"} <= set(promise["layers"])
    assert promise["words"] and promise["probability"] >= promise["threshold"]


def test_who_speaks_decides_which_rules_are_asked(client: TestClient) -> None:
    sentence = {"text": "我跟你保证明天肯定给你拆掉", "role": "citizen"}
    heard = client.post("/api/v1/catalogue/try", json=sentence).json()["heard"]
    assert not [one for one in heard if one["family"] != "signal"]
