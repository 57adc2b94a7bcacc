"""Deliveries under kill -9: how many arrive, twice, or stay uncertain.

    python -m benchmarks.notifications [--deliveries 600] [--kills 20] [--database-url URL]

Half go to a webhook, half to a mail server, both real and on loopback; 5 % of the webhook's answers
are 503. Two workers deliver; one after the other is killed and replaced.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import DeliveryRow
from tests.api.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver
from tests.api.told import add_contact, add_delivery, signing_service
from tests.api.workers import Worker, workers

PAUSE = 0.1  # seconds that a receiver takes
BROKEN = 0.05  # share of the webhook's answers that are 503
LONGEST = 1800.0  # seconds after which the run is given up


def statuses(service: Service) -> dict[str, str]:
    """Status of every delivery."""
    with transaction(service.reader) as session:
        return dict(session.execute(select(DeliveryRow.id, DeliveryRow.status)).all())


def run(service: Service, deliveries: int, kills: int) -> None:
    """Deliver and kill, then print what became of everything."""
    with web_receiver() as web, mail_receiver() as mail:
        web.pause = mail.pause = PAUSE
        web.answers = [503 if random.random() < BROKEN else 200 for _ in range(deliveries)]
        by_web = add_contact(service, web.url, role="web")
        by_mail = add_contact(service, mail.url + "head@street.cn", role="mail")
        half = deliveries // 2
        webhooks = {add_delivery(service, web.url, by_web) for _ in range(half)}
        mails = {add_delivery(service, mail.url, by_mail) for _ in range(half)}
        started = time.monotonic()
        killed = _deliver(service, kills, deliveries)
        took = time.monotonic() - started
        _report(statuses(service), web, mail, webhooks, mails)
    print(f"{killed} kills, {took:.0f} s")


def _deliver(service: Service, kills: int, deliveries: int) -> int:
    """Let two workers deliver everything, killing one whenever a share is done."""
    until = time.monotonic() + LONGEST
    killed = 0
    with workers(service, 2) as crew:
        while time.monotonic() < until:
            found = Counter(statuses(service).values())
            left = found["queued"] + found["sending"]
            if not left:
                break
            if killed < kills and found["sending"] and left <= deliveries * (1 - killed / kills):
                time.sleep(random.random() * PAUSE)
                crew.pop(0).kill()
                crew.append(Worker(service))
                killed += 1
            time.sleep(0.05)
    return killed


def _report(
    found: dict[str, str],
    web: WebReceiver,
    mail: MailReceiver,
    webhooks: set[str],
    mails: set[str],
) -> None:
    ids = [message_from_bytes(m.original_content or b"")["message-id"] for m in mail.mails]
    by_mail = Counter(id_.strip("<>").partition("@")[0] for id_ in ids)
    ok = [b["id"] for b, status in zip(web.bodies, web.given, strict=True) if status == 200]
    by_web = Counter(ok)
    table = Table("", "deliveries", "arrived", "arrived twice", "uncertain", "of these not arrived")
    for name, sent, got in (("webhook", webhooks, by_web), ("mail", mails, by_mail)):
        unsure = {id_ for id_ in sent if found[id_] == "uncertain"}
        twice = sum(count > 1 for count in got.values())
        row = (len(sent), len(set(got) & sent), twice, len(unsure), len(unsure - set(got)))
        table.add_row(name, *map(str, row))
    Console().print(table)
    lost = {id_ for id_ in webhooks - set(by_web) | mails - set(by_mail) if found[id_] == "sent"}
    print(f"said to be sent and not arrived: {len(lost)}; by status: {Counter(found.values())}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--deliveries", type=int, default=600)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--database-url", default="")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.database_url or f"sqlite:///{Path(folder) / 'notifications.db'}"
        service = signing_service(Path(folder), url)
        run(service, chosen.deliveries, chosen.kills)
        service.close()


if __name__ == "__main__":
    main()
