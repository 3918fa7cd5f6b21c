"""Every setting, once. Only this module reads the environment; the rooms below get small frozen dataclasses.

A setting is added here with its description and in `.env.example`; a test compares the two.
"""

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_KEY = "not-secret-development-only"
"""The value of every key that nobody set. Production refuses it."""


NO_REDIS = "none"
"""The REDIS_URL of who wants none, not even an embedded one."""

DEMO_FILE = "settings.env"
"""In DATA_DIR: keys that `nestling demo` made for its installation, and where its providers are."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    DEMO = "demo"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore")

    # The installation
    ENVIRONMENT: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="development, demo or production; production refuses unsafe settings.",
    )
    BRAND_NAME: str = Field(default="Nestling", description="The brand as members read it in messages and on pages.")
    TIME_ZONE: str = Field(
        default="UTC",
        description="Zone whose midnights cut the days: as-of dates, daily runs, the demo's first morning.",
    )
    PHONE_REGION: str = Field(default="US", description="Region of phone numbers written without a country code.")
    CURRENCY: str = Field(default="USD", description="ISO 4217 currency of orders that name none.")

    # Stores of data
    DATABASE_URL: str = Field(
        default="", description="postgresql://user:password@host:port/name (PostgreSQL 15 or newer); empty: embedded."
    )
    REDIS_URL: str = Field(
        default="", description="redis://host:port/0; empty: embedded where there is one; none: without."
    )
    DATA_DIR: Path = Field(
        default=Path(".nestling"), description="Folder of the embedded servers, logs and demo files."
    )
    DATABASE_POOL_SIZE: int = Field(
        default=10,
        ge=2,
        description="Connections of a pool: one a process; in web processes one more to read, a fifth for strangers.",
    )
    STATEMENT_TIMEOUT: float = Field(
        default=5.0,
        ge=0.1,
        le=5,
        description="Seconds after which the API gives a statement up; at most 5, when every operation ends.",
    )

    # The web
    HOST: str = Field(default="127.0.0.1", description="Address the server listens on.")
    PORT: int = Field(default=8000, ge=0, le=65535, description="Port the server listens on; 0 takes a free one.")
    WEB_PROCESSES: int = Field(default=1, ge=1, description="Web processes of `nestling serve`.")
    PUBLIC_URL: str = Field(default="", description="Where browsers and providers reach it; empty: http://HOST:PORT.")
    TRUSTED_PROXIES: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1",),
        description="Proxies in front, comma separated: what they say of a client's address is believed.",
    )
    COOKIE_SECURE: bool = Field(default=False, description="Session cookies over https only (__Host- prefix).")
    CORS_ORIGINS: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins, comma separated, whose pages may call the API with a token."
    )
    INTROSPECTION: bool | None = Field(
        default=None,
        description="GraphQL introspection and field suggestions; empty: on, in production for operators only.",
    )
    TRUSTED_DOCUMENTS: str = Field(
        default="", description="Manifest (JSON) of the documents that clients may name by an id; empty: none."
    )
    TRUSTED_DOCUMENTS_ONLY: bool = Field(
        default=False, description="Answer the manifest's documents only: no other text, introspection or GraphiQL."
    )
    SERVICE_READS_PER_MINUTE: int = Field(
        default=600, ge=1, description="Members a service token may read in a minute, counted by each web process."
    )

    # Keys
    SECRET_KEY: SecretStr = Field(
        default=SecretStr(DEFAULT_KEY), description="Signs sessions, cursors and unsubscribe links."
    )
    ADDRESS_HASH_KEY: SecretStr = Field(
        default=SecretStr(DEFAULT_KEY), description="Keys the hashes of phones and e-mail addresses; never change it."
    )

    # SMS over generic HTTP
    SMS_URL: str = Field(default="", description="Where SMS are posted; empty: no SMS channel.")
    SMS_TOKEN: SecretStr = Field(default=SecretStr(""), description="Bearer token of the SMS provider.")
    SMS_WEBHOOK_SECRET: SecretStr = Field(
        default=SecretStr(DEFAULT_KEY), description="Signs the SMS provider's receipts."
    )
    SMS_SENDER: str = Field(default="Nestling", description="Sender number or name of SMS.")
    SMS_TIMEOUT: float = Field(
        default=10.0, gt=0, description="Seconds after which an SMS request's outcome is unknown."
    )
    SMS_HONOURS_KEYS: bool = Field(
        default=False,
        description="The SMS provider makes one message of a repeated Idempotency-Key; only then is one posted again.",
    )
    SMS_LOOK_UP: bool = Field(
        default=False,
        description="The SMS provider answers GET SMS_URL?client_ref=KEY, which settles unknown outcomes.",
    )
    SMS_TEST_PROVIDER: bool = Field(
        default=False, description="The SMS provider is a test system: it alone may be sent synthetic contacts."
    )

    # E-mail over SMTP
    SMTP_HOST: str = Field(default="", description="Mail server; empty: no e-mail channel.")
    SMTP_PORT: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    SMTP_USERNAME: str = Field(default="", description="Login at the mail server; empty: none.")
    SMTP_PASSWORD: SecretStr = Field(default=SecretStr(""), description="Password at the mail server.")
    SMTP_STARTTLS: bool = Field(default=True, description="Speak TLS to the mail server.")
    SMTP_FROM: str = Field(default="Nestling <care@nestling.example>", description="Sender of e-mails.")
    SMTP_TIMEOUT: float = Field(default=20.0, gt=0, description="Seconds after which an e-mail's outcome is unknown.")
    SMTP_TEST_PROVIDER: bool = Field(
        default=False, description="The mail server is a test system: it alone may be sent synthetic contacts."
    )

    # Working
    WORKER_CONCURRENCY: int = Field(default=16, ge=1, description="Messages one worker delivers at the same time.")
    LOG_LEVEL: LogLevel = Field(default=LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    LOG_JSON: bool = Field(default=False, description="Log lines as JSON.")

    @field_validator("TRUSTED_PROXIES", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("CORS_ORIGINS", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(v.strip().rstrip("/") for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("TIME_ZONE", mode="after")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (LookupError, ValueError, OSError):
            raise ValueError("Input should be a zone of the IANA database, such as Asia/Shanghai") from None
        return value

    @field_validator("PHONE_REGION", mode="after")
    @classmethod
    def _region(cls, value: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if value not in SUPPORTED_REGIONS:
            raise ValueError("Input should be a country of ISO 3166-1 in two capital letters, such as CN")
        return value

    @field_validator("CURRENCY", mode="after")
    @classmethod
    def _currency(cls, value: str) -> str:
        from babel.core import Locale

        if value not in Locale("en").currencies:
            raise ValueError("Input should be a currency of ISO 4217 in three capital letters, such as CNY")
        return value

    @field_validator("DATA_DIR", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("INTROSPECTION", mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def public_url(self) -> str:
        return self.PUBLIC_URL.rstrip("/") or f"http://{self.HOST}:{self.PORT}"

    @property
    def is_production(self) -> bool:
        return self.ENVIRONMENT is Environment.PRODUCTION


KEYS = ("SECRET_KEY", "ADDRESS_HASH_KEY", "SMS_WEBHOOK_SECRET")
SHORTEST_KEY = 32


def refusals(settings: Settings) -> list[str]:
    """Why production may not start with these settings, each with its mend; empty elsewhere and when all is well.

    What a demo left is in the database, so `nestling.opening.refuse_demo_leftovers` looks for it when that is open.
    """
    if not settings.is_production:
        return []
    found = []
    for name in KEYS:
        value = getattr(settings, name).get_secret_value()
        if name == "SMS_WEBHOOK_SECRET" and not settings.SMS_URL:
            continue
        if value == DEFAULT_KEY:
            found.append(f"{name} is the default. Set it to the output of: openssl rand -base64 48")
        elif len(value) < SHORTEST_KEY:
            found.append(f"{name} is shorter than {SHORTEST_KEY} characters.")
    if not settings.COOKIE_SECURE:
        found.append("COOKIE_SECURE is off: session cookies would travel over plain http. Set COOKIE_SECURE=true.")
    if not settings.public_url.startswith("https://"):
        found.append("PUBLIC_URL is not https. Set it to the https address that browsers use.")
    if not settings.DATABASE_URL:
        found.append("DATABASE_URL is not set: the embedded PostgreSQL is for demos. Set it to your server.")
    found += [
        f"{name} is on: the provider would be sent contacts that belong to nobody. Set {name}=false."
        for name in ("SMS_TEST_PROVIDER", "SMTP_TEST_PROVIDER")
        if getattr(settings, name)
    ]
    return found


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once: the environment, then `.env`, then what a demo here wrote for itself."""
    data_dir = Settings().DATA_DIR
    return Settings(_env_file=(data_dir / DEMO_FILE, ".env"))  # type: ignore[call-arg]
