"""Reports as files: HTML, PDF and DOCX from the templates in `qc/templates/`."""

import base64
import io
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import jinja2

from qc.charts import Chart
from qc.errors import QcError
from qc.order import KIND_TITLES
from qc.report import TEMPLATES, band, clock

Format = Literal["html", "pdf", "docx", "xlsx"]
IMAGE_WIDTH = 155  # millimetres, of a chart in a DOCX


def rate(value: float | None) -> str:
    """0..1 as percent; 100 % only where it is all."""
    if value is None:
        return "—"
    return f"{value:.1%}" if 0.995 <= value < 1 else f"{value:.0%}"


def points(value: float | None) -> str:
    """A mean score."""
    return "—" if value is None else f"{value:.1f}"


def chinese_day(day: date | str | None) -> str:
    """2024年6月11日."""
    if not day:
        return ""
    on = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{on.year}年{on.month}月{on.day}日"


def period(since: date | None, until: date | None) -> str:
    """A period in words; both days included."""
    if since is None or until is None:
        return "日期不明"
    return chinese_day(since) if since == until else f"{chinese_day(since)}至{chinese_day(until)}"


def data_uri(chart: Chart) -> str:
    """The picture as part of the page."""
    return f"data:image/png;base64,{base64.b64encode(chart.png).decode()}"


FILTERS: Mapping[str, Callable[..., str]] = {
    "rate": rate,
    "points": points,
    "day": chinese_day,
    "clock": clock,
    "band": band,
    "data_uri": data_uri,
}


def _fitted(environment: jinja2.Environment) -> jinja2.Environment:
    environment.filters |= FILTERS
    environment.globals |= {"KINDS": KIND_TITLES}
    return environment


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return _fitted(
        jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
    )


def html(template: str, context: Mapping[str, Any]) -> str:
    """A page without scripts or outside addresses."""
    return _environment().get_template(template).render(context)


def pdf(page: str) -> bytes:
    """A page as PDF/A4.

    Raises:
        QcError: the libraries that WeasyPrint draws with are not installed.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise QcError(
            "生成 PDF 需要的系统组件没有安装",
            "请安装 libpango-1.0-0 和 libpangoft2-1.0-0（apt install），或只要 HTML 和 DOCX",
        ) from error
    fetcher = URLFetcher(allowed_protocols=("data",))
    return HTML(string=page, url_fetcher=fetcher).write_pdf()


def docx(template: str, context: Mapping[str, Any], charts: Mapping[str, Chart]) -> bytes:
    """A Word document; `charts` are put where the template names them."""
    from docx.shared import Mm
    from docxtpl import DocxTemplate, InlineImage

    document = DocxTemplate(str(TEMPLATES / template))
    images = {
        name: InlineImage(document, io.BytesIO(chart.png), width=Mm(IMAGE_WIDTH))
        for name, chart in charts.items()
    }
    environment = _fitted(jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined))
    document.render({**context, **images}, environment, autoescape=True)
    _describe_images(document.docx, [chart.text for chart in charts.values()])
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _describe_images(document: Any, texts: list[str]) -> None:
    """Words for those who cannot see the pictures."""
    from docx.oxml.ns import qn

    for picture, text in zip(document.element.body.iter(qn("wp:docPr")), texts, strict=False):
        picture.set("descr", text)


def save(content: str | bytes, path: Path) -> Path:
    """Write a file whole or not at all.

    Raises:
        QcError: it cannot be written.
    """
    part = path.with_suffix(path.suffix + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    except OSError as error:
        raise QcError(f"写不了 {path}", "请检查权限，并关闭已打开的文件") from error
    return path
