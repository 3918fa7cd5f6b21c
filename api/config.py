"""What the web process is told. `nestling.wiring` fills it from the settings; nothing below reads the environment."""

from dataclasses import dataclass, field

from channels.registry import ChannelsConfig


@dataclass(frozen=True, slots=True)
class ApiConfig:
    database_url: str
    redis_url: str = ""  # only asked whether it answers; empty: the installation runs without
    pool_size: int = 10  # connections of the read pool; strangers have a fifth of that
    statement_timeout_s: float = 5.0
    secret_key: str = ""  # signs cursors' neighbours of the web: unsubscribe links, forms
    address_hash_key: str = ""
    brand_name: str = "Nestling"
    time_zone: str = "UTC"
    phone_region: str = "US"
    currency: str = "USD"
    public_url: str = ""  # the origin that browsers see; cookie-authenticated POSTs must come from it
    cookie_secure: bool = False
    cors_origins: tuple[str, ...] = ()
    is_production: bool = False
    introspection: bool | None = None  # None: everybody in development, roles with INTROSPECT in production
    trusted_documents: str = ""  # path of a manifest; read when the process starts
    trusted_documents_only: bool = False  # every other document is refused before it is parsed
    service_reads_per_minute: int = 600  # a service token's, counted in each web process
    channels: ChannelsConfig = field(default_factory=ChannelsConfig)  # whose callbacks /hooks takes
