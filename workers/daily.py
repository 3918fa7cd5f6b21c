"""The daily jobs: each looks rows up and calls one verb. Hours are the installation's, on the business clock."""

from datetime import datetime, time

from domain.outreach import care_runs
from domain.people import duplicates
from domain.platform.clock import local_day
from workers.config import WorkerConfig
from workers.jobs import Job
from workers.scoring import job as scoring


def daily_jobs(config: WorkerConfig) -> list[Job]:
    """Scores first, then the call lists and the care run that read them; duplicates between, before people come."""

    async def score(tick: datetime) -> str:
        report = await scoring.run(config, local_day(tick, config.time_zone), keeps_champion=True)
        return report.line

    async def care_run(tick: datetime) -> str:
        report = await care_runs.run(local_day(tick, config.time_zone))
        return f"{report.eligible} eligible = {report.sent} sent + {report.held} held + {report.suppressed} suppressed"

    async def build_lists(tick: datetime) -> str:
        report = await care_runs.build_lists(local_day(tick, config.time_zone))
        return f"{report.eligible} calls = {report.sent} sent + {report.held} held + {report.suppressed} suppressed"

    async def find_duplicates(_tick: datetime) -> str:
        return (await duplicates.find()).line

    return [
        Job("score", time(2), score),
        Job("find_duplicates", time(3), find_duplicates),
        Job("build_lists", time(5), build_lists),
        Job("care_run", time(6), care_run),
    ]
