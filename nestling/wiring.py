"""Settings into what each room wants to be told. The only place that knows both."""

from datetime import timedelta

from api.config import ApiConfig
from channels.email_smtp import EmailSmtpConfig
from channels.registry import ChannelsConfig
from channels.sms_http import SmsHttpConfig
from nestling.settings import Settings
from workers.config import WorkerConfig


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
        trusted_documents=settings.TRUSTED_DOCUMENTS,
        trusted_documents_only=settings.TRUSTED_DOCUMENTS_ONLY,
        service_reads_per_minute=settings.SERVICE_READS_PER_MINUTE,
        channels=channels_config(settings),
    )


def channels_config(settings: Settings) -> ChannelsConfig:
    sms = SmsHttpConfig(
        url=settings.SMS_URL,
        token=settings.SMS_TOKEN.get_secret_value(),
        webhook_secret=settings.SMS_WEBHOOK_SECRET.get_secret_value(),
        sender=settings.SMS_SENDER,
        timeout=timedelta(seconds=settings.SMS_TIMEOUT),
        connections=settings.WORKER_CONCURRENCY,
        honours_keys=settings.SMS_HONOURS_KEYS,
        can_look_up=settings.SMS_LOOK_UP,
        is_test=settings.SMS_TEST_PROVIDER,
    )
    email = EmailSmtpConfig(
        host=settings.SMTP_HOST,
        port=settings.SMTP_PORT,
        sender=settings.SMTP_FROM,
        username=settings.SMTP_USERNAME,
        password=settings.SMTP_PASSWORD.get_secret_value(),
        starttls=settings.SMTP_STARTTLS,
        timeout=timedelta(seconds=settings.SMTP_TIMEOUT),
        is_test=settings.SMTP_TEST_PROVIDER,
    )
    return ChannelsConfig(sms=sms if settings.SMS_URL else None, email=email if settings.SMTP_HOST else None)


def worker_config(settings: Settings) -> WorkerConfig:
    return WorkerConfig(
        database_url=settings.DATABASE_URL,
        redis_url=settings.REDIS_URL,
        secret_key=settings.SECRET_KEY.get_secret_value(),
        address_hash_key=settings.ADDRESS_HASH_KEY.get_secret_value(),
        public_url=settings.public_url,
        brand_name=settings.BRAND_NAME,
        time_zone=settings.TIME_ZONE,
        pool_size=settings.DATABASE_POOL_SIZE,
        concurrency=settings.WORKER_CONCURRENCY,
        channels=channels_config(settings),
    )
