import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.graphql import DEADLINE_S
from nestling.settings import DEFAULT_KEY, KEYS, Environment, Settings, refusals
from tests.nestling.commands import nestling

ROOT = Path(__file__).resolve().parents[2]
SAFE: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://nestling@db.example/nestling",
    "PUBLIC_URL": "https://crm.example",
    "COOKIE_SECURE": True,
    **{key: f"{key}-{'x' * 32}" for key in KEYS},
}


def made(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]


def test_the_example_file_has_every_setting_with_its_default_and_description(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example = ROOT / ".env.example"
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
    lines = example.read_text().splitlines()
    named = {line[1:].partition("=")[0]: lines[at - 1] for at, line in enumerate(lines) if re.match("#[A-Z_]+=", line)}
    assert set(named) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert named[name] == f"# {field.description}"
    assert not any(re.match("[A-Z]", line) for line in lines), "a copy of it would undo what a demo set"
    whole = tmp_path / ".env"
    whole.write_text(re.sub("(?m)^#([A-Z_]+=)", r"\1", example.read_text()))
    assert Settings(_env_file=whole) == made()  # type: ignore[call-arg]


def test_production_starts_with_safe_settings() -> None:
    assert refusals(made(**SAFE)) == []


@pytest.mark.parametrize(
    ("unsafe", "told"),
    [
        ({"SECRET_KEY": DEFAULT_KEY}, "SECRET_KEY is the default"),
        ({"ADDRESS_HASH_KEY": DEFAULT_KEY}, "ADDRESS_HASH_KEY is the default"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is shorter than 32"),
        ({"SMS_URL": "https://sms.example", "SMS_WEBHOOK_SECRET": DEFAULT_KEY}, "SMS_WEBHOOK_SECRET is the default"),
        ({"COOKIE_SECURE": False}, "COOKIE_SECURE is off"),
        ({"PUBLIC_URL": "http://crm.example"}, "PUBLIC_URL is not https"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"SMS_URL": "https://sms.example", "SMS_TEST_PROVIDER": True}, "SMS_TEST_PROVIDER is on"),
    ],
)
def test_production_refuses_one_unsafe_setting(unsafe: dict[str, Any], told: str) -> None:
    (said,) = refusals(made(**{**SAFE, **unsafe}))
    assert told in said
    assert refusals(made(**{**SAFE, **unsafe, "ENVIRONMENT": Environment.DEVELOPMENT})) == []


def test_no_key_shows_in_print_or_log() -> None:
    assert SAFE["SECRET_KEY"] not in repr(made(**SAFE))


def test_only_named_proxies_are_believed_about_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUSTED_PROXIES", raising=False)
    assert made().TRUSTED_PROXIES == ("127.0.0.1",)
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.5, 10.0.1.0/24")
    assert made().TRUSTED_PROXIES == ("10.0.0.5", "10.0.1.0/24")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "LOUD"),
        ("TIME_ZONE", "Mars/X"),
        ("TIME_ZONE", "../UTC"),
        ("PHONE_REGION", "XX"),
        ("CURRENCY", "usd"),
    ],
)
def test_what_nobody_knows_is_no_setting(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        made(**{name: value})


async def test_a_statement_may_not_outlive_its_operation_and_a_wrong_setting_is_told_in_words(tmp_path: Path) -> None:
    assert made().STATEMENT_TIMEOUT == DEADLINE_S
    refused = await nestling(tmp_path, "", "user", "list", STATEMENT_TIMEOUT="10", SECRET_KEY="hidden")
    assert refused.returncode == 1
    assert "- STATEMENT_TIMEOUT: Input should be less than or equal to 5" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "hidden" not in refused.stderr
