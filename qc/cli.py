"""The command line `hotline-qc`."""

from __future__ import annotations

import typer

from qc.commands.batch import batch, demo
from qc.commands.catalog import catalog_check, catalog_schema
from qc.commands.coach import coach
from qc.commands.common import speaks_plainly
from qc.commands.convert import convert
from qc.commands.evaluate import evaluate
from qc.commands.inspect import inspect
from qc.commands.order import order
from qc.commands.sample import sample
from qc.commands.serve import serve, worker
from qc.commands.teach import teach_export, teach_train

app = typer.Typer(
    help="12345 热线录音质检：转写、对照规范用语与禁止行为、评分、出报告。"
    "（Inspects the telephone recordings of the 12345 citizen hotline.）",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
catalog = typer.Typer(help="规则目录（scripts_catalog/）。", no_args_is_help=True)
app.add_typer(catalog, name="catalog")
teach = typer.Typer(help="用复核意见改进判定：导出标注、重新训练。", no_args_is_help=True)
app.add_typer(teach, name="teach")

for command in (demo, inspect, batch, order, sample, coach, evaluate, convert, serve, worker):
    app.command()(speaks_plainly(command))
catalog.command("check")(speaks_plainly(catalog_check))
catalog.command("schema")(speaks_plainly(catalog_schema))
teach.command("export")(speaks_plainly(teach_export))
teach.command("train")(speaks_plainly(teach_train))


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
