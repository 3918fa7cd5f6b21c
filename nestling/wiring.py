"""Settings into what each room wants to be told. The only place that knows both."""

from api.config import ApiConfig
from nestling.settings import Settings


def api_config(settings: Settings) -> ApiConfig:
    return ApiConfig(
        database_url=settings.DATABASE_URL,
        redis_url=settings.REDIS_URL,
        pool_size=settings.DATABASE_POOL_SIZE,
        statement_timeout_s=settings.STATEMENT_TIMEOUT,
        secret_key=settings.SECRET_KEY.get_secret_value(),
        address_hash_key=settings.ADDRESS_HASH_KEY.get_secret_value(),
        brand_name=settings.BRAND_NAME,
        time_zone=settings.TIME_ZONE,
        phone_region=settings.PHONE_REGION,
        currency=settings.CURRENCY,
        public_url=settings.public_url,
        cookie_secure=settings.COOKIE_SECURE,
        cors_origins=settings.CORS_ORIGINS,
        is_production=settings.is_production,
        introspection=settings.INTROSPECTION,
        service_reads_per_minute=settings.SERVICE_READS_PER_MINUTE,
    )
