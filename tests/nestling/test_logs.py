import subprocess
import sys

PROGRAM = """
import logging, structlog
from nestling.logs import configure_logs
from nestling.settings import Settings
configure_logs(Settings(_env_file=None, LOG_JSON={json}))
try:
    raise ValueError("Key (value)=(+12125550100) already exists")
except ValueError:
    logging.getLogger("uvicorn.error").exception("it failed")
    structlog.get_logger("nestling.api").error("it failed too", exc_info=True)
structlog.get_logger("nestling.api").info("delivered", message_id="m1")
logging.getLogger("httpx").info("GET https://example.com/?phone=+12125550100")
"""


def logged(*, json: bool) -> str:
    program = PROGRAM.format(json=json)
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stderr


def test_a_failure_is_logged_by_class_and_place_without_its_text() -> None:
    for json in (False, True):
        said = logged(json=json)
        assert said.count("ValueError") == 2
        assert "<string>:7" in said
        assert "message_id" in said
        assert "5550100" not in said


def test_every_event_is_one_line() -> None:
    assert len(logged(json=True).splitlines()) == 3
