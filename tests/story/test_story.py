"""The story of the workbench, told in a real browser against the whole service with its worker.

Upload eight samples, draw a spot check, listen, overturn a finding, appeal, decide, and read the
coaching report. Screenshots are left in `out/screenshots` for people to look at.
"""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SHOTS = ROOT / "out" / "screenshots"
AXE = Path(__file__).parent / "axe-core" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
]
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
COMMAND = "from qc.commands.serve import serve; serve()"
FIRST, PASSWORD = "initial-word-3", "correct-horse-7"
PEOPLE = (
    ("li.inspector", "inspector", ""),
    ("chengguan", "department", "城管中队"),
    ("zhou.trainer", "trainer", ""),
    ("wu.auditor", "auditor", ""),
)
UPLOADED = 8  # of the samples
PATIENCE = 240.0  # seconds for the worker to load and inspect them

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


@dataclass
class Site:
    """The service, and the browsers of the people who use it."""

    address: str
    browser: Browser
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # every address any browser asked for
    faults: list[str] = field(default_factory=list)  # what browsers complained of
    shots: int = 0

    def open(self, who: str, password: str = PASSWORD) -> Page:
        """The browser of a person, signed in."""
        if who not in self.pages:
            page = self.browser.new_context(viewport=DESK, locale="zh-CN").new_page()
            page.on("request", lambda request: self.asked.append(request.url))
            page.on("pageerror", lambda error: self.faults.append(str(error)))
            page.on("console", self._note)
            page.goto(self.address)
            page.get_by_label("账号").fill(who)
            page.get_by_label("密码").fill(password)
            page.get_by_role("button", name="登录").click()
            page.wait_for_url(re.compile("/(today|password|audit)"))
            self.pages[who] = page
        return self.pages[who]

    def _note(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def go(self, who: str, path: str) -> Page:
        """That person's browser, on that page."""
        page = self.open(who)
        page.goto(self.address + path)
        return page

    def keep(self, page: Page, name: str) -> None:
        """Keep what is seen, for people to look at."""
        self.shots += 1
        page.screenshot(path=SHOTS / f"{self.shots:02}-{name}.png")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    SHOTS.mkdir(parents=True, exist_ok=True)
    for old in SHOTS.glob("*.png"):
        old.unlink()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {
        "HOTLINE_QC_DATA_FOLDER": str(folder),
        "HOTLINE_QC_PORT": str(port),
        "HOTLINE_QC_ASR": "fast:demo",
        "HOTLINE_QC_ADMIN_PASSWORD": PASSWORD,
        "HOTLINE_QC_LOGINS_PER_MINUTE": "1000",
        "HOTLINE_QC_REQUESTS_PER_MINUTE": "100000",
        "OMP_NUM_THREADS": "1",
    }
    log = (folder / "serve.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-c", COMMAND], env=os.environ | settings, cwd=ROOT, stdout=log, stderr=log
    )
    try:
        _wait(lambda: _answers(f"{address}/ready"), 60)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
            yield Site(address, browser)
            browser.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=40)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.2)


@dataclass(frozen=True)
class Sample:
    """A sample recording with its order."""

    recording: Path
    order: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.order['order_id']}-{self.recording.name}"


def samples() -> list[Sample]:
    """The first samples of the manifest."""
    with (SAMPLES / "manifest.csv").open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))[:UPLOADED]
    return [
        Sample(SAMPLES / row["recording"], json.loads((SAMPLES / row["order"]).read_text("utf-8")))
        for row in rows
    ]


def order_table() -> bytes:
    """The samples' orders, as an office keeps them: a table."""
    titles = {
        "工单编号": "order_id",
        "诉求人": "petitioner",
        "诉求": "issue",
        "地址": "address",
        "处置部门": "department",
        "经办人": "handler",
        "反映日期": "reported_on",
    }
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(titles)
    for sample in samples():
        writer.writerow([sample.order.get(name, "") for name in titles.values()])
    return text.getvalue().encode("utf-8-sig")


@pytest.fixture(scope="module")
def inspected(site: Site) -> Site:
    """The samples, uploaded by a person and inspected by the worker; and people to work on them."""
    admin = site.open("admin")
    _make_accounts(site, admin)
    admin.goto(f"{site.address}/orders/upload")
    table = {"name": "工单.csv", "mimeType": "text/csv", "buffer": order_table()}
    admin.get_by_label("工单表").set_input_files(table)  # type: ignore[arg-type]
    admin.get_by_role("button", name="导入").click()
    expect(admin.get_by_role("status").first).to_contain_text(f"新建 {UPLOADED} 个")
    files = [
        {"name": s.name, "mimeType": "audio/wav", "buffer": s.recording.read_bytes()}
        for s in samples()
    ]
    admin.get_by_label("录音文件").set_input_files(files)  # type: ignore[arg-type]
    admin.get_by_role("button", name="上传").click()
    admin.wait_for_selector("form.upload[data-done=all]", timeout=60_000)
    site.keep(admin, "上传")
    _wait(lambda: _inspected(site, admin) == UPLOADED, PATIENCE)
    return site


def _make_accounts(site: Site, admin: Page) -> None:
    for name, role, department in PEOPLE:
        admin.goto(f"{site.address}/admin")
        admin.get_by_text("新建账号").click()
        form = admin.locator("form[action='/admin/accounts']")
        form.locator("[name=name]").fill(name)
        form.locator("[name=role]").select_option(role)
        form.locator("[name=department]").fill(department)
        form.get_by_label("初始密码").fill(FIRST)
        form.get_by_role("button", name="建立").click()
        expect(admin.get_by_role("cell", name=name, exact=True)).to_be_visible()
        person = site.open(name, FIRST)
        person.get_by_label("现在的密码").fill(FIRST)
        person.get_by_label("新密码（").fill(PASSWORD)
        person.get_by_label("再写一遍").fill(PASSWORD)
        person.get_by_role("button", name="保存").click()
        person.wait_for_url(re.compile("/(today|audit)"))


def _inspected(site: Site, admin: Page) -> int:
    admin.goto(f"{site.address}/calls?status=done")
    return admin.locator("tbody tr.link").count()


def test_the_whole_story(inspected: Site) -> None:
    inspector = _draw_a_spot_check(inspected)
    call = _listen(inspected, inspector)
    before = int(inspector.locator("#scores b").first.inner_text())
    _overturn_one(inspected, inspector)
    assert int(inspector.locator("#scores b").first.inner_text()) > before
    _appeal(inspected, call)
    _decide(inspected, call)
    _read_the_coaching_report(inspected)
    assert inspected.faults == []


def _draw_a_spot_check(site: Site) -> Page:
    page = site.go("li.inspector", "/plans/new")
    page.locator("[name=title]").fill("六月抽检")
    page.get_by_label("占全部录音的").fill("100")
    page.get_by_label("li.inspector").check()
    page.get_by_role("button", name="抽取").click()
    page.wait_for_url(re.compile(r"/plans/[0-9a-f]{32}$"))
    expect(page.locator("tbody tr.link")).to_have_count(UPLOADED)
    site.keep(page, "抽检方案")
    site.keep(site.go("li.inspector", "/today"), "今日")
    return page


def _listen(site: Site, page: Page) -> str:
    """Open the rude call from the list, play it from a line, and go through it with keys."""
    page.goto(f"{site.address}/calls?attitude=serious")
    page.locator("tbody tr.link a").first.click()
    page.wait_for_selector("body[data-ready=yes]")
    site.keep(page, "通话页")
    page.locator(".turn.bad .when button").first.click()
    expect(page.get_by_role("button", name="暂停")).to_be_visible()
    page.wait_for_function("document.getElementById('now').textContent !== '0:00'")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="播放", exact=True)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".finding.chosen")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    return page.url


def _overturn_one(site: Site, page: Page) -> None:
    """The finding that alone made the call fail (一票否决), found by keys."""
    chosen = page.locator(".finding.chosen")
    name = "态度粗暴"
    for _ in range(12):
        if chosen.get_attribute("aria-label") == name:
            break
        page.keyboard.press("j")
    page.keyboard.press("c")
    chosen.get_by_label("备注").fill("听下来是在复述市民的话")
    chosen.get_by_role("button", name="推翻").click()
    card = page.locator(f".finding[aria-label='{name}']").first
    expect(card).to_contain_text("已推翻")
    expect(card).to_contain_text("听下来是在复述市民的话")
    expect(page.locator("#scores")).to_contain_text("复核后")
    page.keyboard.press("k")
    page.keyboard.press("y")
    expect(page.locator(".finding.chosen")).to_contain_text("已确认")
    site.keep(page, "推翻一项")
    page.locator("#pick").get_by_role("button", name="不合格").click()
    page.wait_for_url(re.compile("/calls/"))
    page.go_back()
    page.wait_for_selector("body[data-ready=yes]")


def _appeal(site: Site, call: str) -> None:
    page = site.open("chengguan")
    page.goto(call)
    card = page.locator(".finding.behaviour:not(.overturned)").last
    name = card.get_attribute("aria-label")
    card.get_by_text("提出申诉").click()
    card.get_by_label("申诉理由").fill("这句话是在说政策规定的时限，请重听。")
    card.get_by_role("button", name="提交申诉").click()
    expect(page.locator(f".finding[aria-label='{name}']").last).to_contain_text("申诉待处理")
    site.keep(page, "部门申诉")


def _decide(site: Site, call: str) -> None:
    page = site.go("li.inspector", "/appeals?open_only=true")
    site.keep(page, "待处理的申诉")
    page.get_by_label("答复").fill("经复听，申诉成立。")
    page.get_by_role("button", name="申诉成立").click()
    page.wait_for_url(call)
    expect(page.locator(".appeal")).to_contain_text("经复听，申诉成立。")
    told = site.open("chengguan")
    told.goto(call)
    expect(told.locator(".appeal")).to_contain_text("申诉成立")
    site.keep(told, "申诉成立")


def _read_the_coaching_report(site: Site) -> None:
    page = site.go("zhou.trainer", "/coaching")
    site.keep(page, "辅导和报表")
    row = page.locator("tbody tr.link", has_text="周勇").first
    with page.expect_popup() as opened:
        row.get_by_role("link", name="查看").click()
    report = opened.value
    expect(report.locator("body")).to_contain_text("周勇")
    site.shots += 1
    report.screenshot(path=SHOTS / f"{site.shots:02}-辅导报告.png", full_page=True)
    report.close()
    with page.expect_download() as download:
        row.get_by_role("link", name="Word").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"


def addresses(site: Site) -> list[tuple[str, str]]:
    """Every kind of page, with somebody who works on it."""
    page = site.go("admin", "/calls?attitude=serious")
    call = page.locator("tbody tr.link a").first.get_attribute("href") or ""
    plan = site.go("admin", "/plans").locator("tbody a").first.get_attribute("href") or ""
    order = samples()[0].order["order_id"]
    paths = ["/today", "/orders", f"/orders/{order}", "/orders/upload", "/calls", call]
    paths += ["/plans", "/plans/new", plan, "/appeals", "/dashboards", "/coaching", "/notices"]
    paths += ["/catalogue", "/catalogue?family=element", "/admin", "/audit", "/password"]
    own = [("chengguan", "/today"), ("chengguan", call), ("zhou.trainer", call)]
    return [*(("admin", path) for path in paths), *own]


def test_no_page_has_a_serious_accessibility_fault(inspected: Site) -> None:
    axe = AXE.read_text("utf-8")
    found = []
    for who, path in addresses(inspected):
        for size in (DESK, PHONE):
            page = inspected.open(who)
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.goto(inspected.address + path, wait_until="networkidle")
            page.evaluate(axe)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                f"{path} {size['width']}: {fault['id']} {fault['nodes'][0]['html'][:120]}"
                for fault in result["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert found == []


def test_no_page_is_wider_than_a_phone(inspected: Site) -> None:
    wide = []
    for who, path in addresses(inspected):
        page = inspected.open(who)
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.goto(inspected.address + path, wait_until="networkidle")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
        if who == "admin":
            inspected.keep(page, "手机" + (path.split("?")[0].replace("/", "-")[:24]))
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert wide == []


def test_a_chart_leads_to_the_calls_behind_it(inspected: Site) -> None:
    page = inspected.go("li.inspector", "/dashboards")
    page.wait_for_selector("#rules svg")
    page.wait_for_timeout(500)
    inspected.keep(page, "看板")
    serious = page.locator("p a", has_text="严重问题").first
    count = int(re.findall(r"严重问题\s*(\d+)", serious.locator("..").inner_text())[0])
    serious.click()
    expect(page.locator("tbody tr.link")).to_have_count(count)
    assert "attitude=serious" in page.url


def test_a_sentence_can_be_tried(inspected: Site) -> None:
    page = inspected.go("zhou.trainer", "/catalogue")
    page.get_by_label("说的话").fill("我跟你保证明天肯定给你拆掉")
    page.get_by_role("button", name="看看怎样判断").click()
    expect(page.locator("#tried")).to_contain_text("随意许诺")
    page.get_by_label("说的话").fill(" ")
    page.get_by_role("button", name="看看怎样判断").click()
    expect(page.locator("#told")).to_contain_text("请先写一句话")
    inspected.keep(page, "试一句话")


def test_the_audit_log_is_whole_and_names_the_listening(inspected: Site) -> None:
    page = inspected.go("wu.auditor", "/audit?action=recording.listen")
    expect(page.locator("tbody")).to_contain_text("li.inspector")
    page.get_by_role("button", name="核验").click()
    expect(page.locator("#verified")).to_contain_text("日志完整")
    inspected.keep(page, "审计")


def test_no_browser_asked_another_server(inspected: Site) -> None:
    hosts = {
        urlparse(url).netloc for url in inspected.asked if not url.startswith(("data:", "blob:"))
    }
    assert hosts == {urlparse(inspected.address).netloc}
