"""The worker of the deliver bench: the product's own without Redis, and without the daily jobs that write to others."""

from dataclasses import replace

from nestling.settings import settings
from nestling.wiring import worker_config
from workers.process import run_worker

if __name__ == "__main__":
    run_worker(replace(worker_config(settings()), redis_url="", runs_jobs=False))
