"""The log of a running service: JSON, with request ids, without personal data."""

import json
import subprocess
import sys

PROGRAM = """
import logging
import structlog
from api.logs import configure_logs

configure_logs()
structlog.contextvars.bind_contextvars(request_id="13812345678")
structlog.get_logger("ours").warning("回电 13812345678", note="住南泉新苑12号501室", seconds=0.5)
logging.getLogger("uvicorn.error").warning("phone %s", "13812345678")
try:
    raise ValueError("13812345678")
except ValueError:
    structlog.get_logger("ours").error("unexpected", exc_info=True)
"""


def test_every_line_is_json_and_masked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "warning", "error"]
    for line in lines:
        assert line.pop("request_id") == "13812345678"
        assert line["timestamp"] and line["logger"]
        assert "13812345678" not in json.dumps(line)
    assert "501" not in lines[0]["note"] and lines[0]["seconds"] == 0.5
    assert "ValueError" in lines[2]["exception"]
