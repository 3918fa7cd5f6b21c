"""What the worker wants to be told; nestling.wiring fills it from the settings."""

from dataclasses import dataclass, field
from datetime import timedelta

from channels.registry import ChannelsConfig


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    database_url: str
    redis_url: str  # empty: no bell, the loop looks by itself
    secret_key: str  # signs unsubscribe links
    address_hash_key: str
    public_url: str
    brand_name: str = "Nestling"
    time_zone: str = "UTC"  # of the daily jobs
    pool_size: int = 10
    concurrency: int = 16  # messages that each channel delivers at the same time
    channels: ChannelsConfig = field(default_factory=ChannelsConfig)
    poll: timedelta = timedelta(seconds=1)  # how long a missed bell can delay anything
    sweep: timedelta = timedelta(seconds=2)
    runs_jobs: bool = True  # daily jobs and those that somebody asks for
