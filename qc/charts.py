"""Charts for reports, as PNG. Text is Chinese: a missing font or character is an error."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qc.errors import QcError

FONT = "Noto Sans CJK SC"
DPI = 200
WIDTH = 6.3  # inches: the text width of an A4 page with margins of 2.5 cm
INK, SOFT, LINE = "#1d2a35", "#55636f", "#d9e0e6"
BRAND, PALE = "#1f4e6b", "#b9cbd8"
MET, PARTIAL, MISSING = "#3a9a68", "#dba32f", "#cc5a52"


@dataclass(frozen=True)
class Chart:
    """A picture with the words that stand for it where it cannot be seen."""

    title: str
    png: bytes
    text: str  # what it shows, in Chinese


@lru_cache(maxsize=1)
def _style() -> Any:
    from matplotlib import font_manager

    try:
        font_manager.findfont(FONT, fallback_to_default=False)
    except ValueError as error:
        raise QcError(
            f"没有安装中文字体 {FONT}，画不了图表", "请安装 fonts-noto-cjk（apt install）"
        ) from error
    return {
        "font.family": [FONT],
        "font.size": 9,
        "axes.unicode_minus": False,
        "axes.edgecolor": LINE,
        "axes.labelcolor": SOFT,
        "text.color": INK,
        "xtick.color": SOFT,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def compared_bars(
    title: str, labels: Sequence[str], own: Sequence[float], others: Sequence[float | None],
    own_title: str, others_title: str,
) -> Chart:  # fmt: skip
    """Shares (0..1) as horizontal bars, with a mark where the others are."""
    import matplotlib as mpl

    with mpl.rc_context(_style()):
        figure, axes = _figure(0.7 + 0.26 * len(labels))
        places = list(range(len(labels)))[::-1]
        axes.barh(places, [100 * v for v in own], 0.56, color=BRAND, label=own_title, zorder=2)
        known = [(100 * v, y) for v, y in zip(others, places, strict=True) if v is not None]
        if known:
            axes.scatter(
                *zip(*known, strict=True),
                marker="D", s=26, color=PARTIAL, edgecolors="white", linewidths=0.6,
                label=others_title, zorder=3,
            )  # fmt: skip
        for value, y in zip(own, places, strict=True):
            axes.text(101.5, y, f"{value:.0%}", va="center", color=SOFT)
        axes.set_yticks(places, labels)
        axes.set_xlim(0, 112)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25%", "50%", "75%", "100%"])
        axes.grid(axis="x", color=LINE, linewidth=0.6, zorder=0)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
        png = _png(figure)
    text = "、".join(f"{name} {value:.0%}" for name, value in zip(labels, own, strict=True))
    return Chart(title, png, f"{title}：{text}")


def lines(
    title: str,
    days: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    *,
    percent: bool = False,
) -> Chart:
    """One or more courses over time; gaps stay gaps."""
    import matplotlib as mpl

    nan, factor = float("nan"), 100 if percent else 1
    with mpl.rc_context(_style()):
        figure, axes = _figure(2.3)
        colours = (BRAND, PARTIAL, MISSING, MET)
        for (name, values), colour in zip(series, colours, strict=False):
            shown = [nan if v is None else factor * v for v in values]
            axes.plot(days, shown, color=colour, marker="o", markersize=3.5, label=name)
        axes.set_ylim(0, 105)
        axes.yaxis.set_major_formatter("{x:.0f}%" if percent else "{x:.0f}")
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.tick_params(length=0)
        every = max(1, -(-len(days) // 12))
        axes.set_xticks(range(0, len(days), every), days[::every])
        figure.legend(loc="outside upper right", ncols=4, frameon=False, fontsize=8)
        png = _png(figure)
    last = "、".join(
        f"{name} {_said(values[-1], percent)}" for name, values in series if len(values)
    )
    return Chart(title, png, f"{title}，最近一期：{last}")


def _said(value: float | None, percent: bool) -> str:
    return "无数据" if value is None else f"{value:.0%}" if percent else f"{value:.1f}"


def bars(title: str, labels: Sequence[str], values: Sequence[float], colour: str = BRAND) -> Chart:
    """Numbers as horizontal bars, the first on top."""
    import matplotlib as mpl

    with mpl.rc_context(_style()):
        figure, axes = _figure(0.5 + 0.26 * len(labels))
        places = list(range(len(labels)))[::-1]
        axes.barh(places, values, 0.56, color=colour, zorder=2)
        room = max([*values, 1]) * 0.015
        for value, y in zip(values, places, strict=True):
            axes.text(value + room, y, f"{value:g}", va="center", color=SOFT)
        axes.set_yticks(places, labels)
        axes.set_xlim(0, max([*values, 1]) * 1.1)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=6))
        axes.grid(axis="x", color=LINE, linewidth=0.6, zorder=0)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        png = _png(figure)
    text = "、".join(f"{name} {value:g}" for name, value in zip(labels, values, strict=True))
    return Chart(title, png, f"{title}：{text}")


def shares(title: str, parts: Sequence[tuple[str, int, str]]) -> Chart:
    """Parts of a whole (name, number, colour) as one bar."""
    import matplotlib as mpl

    total = sum(count for _, count, _ in parts)
    with mpl.rc_context(_style()):
        figure, axes = _figure(1.0)
        left = 0.0
        for name, count, colour in parts:
            part = 100 * count / total if total else 0.0
            axes.barh([0], [part], 0.6, left=left, color=colour, label=f"{name} {count}")
            if part >= 6:
                axes.text(
                    left + part / 2, 0, f"{part:.0f}%", ha="center", va="center", color="white"
                )
            left += part
        axes.set_axis_off()
        axes.set_xlim(0, 100)
        figure.legend(loc="outside upper left", ncols=len(parts), frameon=False, fontsize=8)
        png = _png(figure)
    text = "、".join(f"{name} {count}" for name, count, _ in parts)
    return Chart(title, png, f"{title}：{text}")
