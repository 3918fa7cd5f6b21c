"""The daily jobs: each looks rows up and calls one verb. Hours are the installation's, on the business clock."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from domain.outreach import care_runs
from workers.config import WorkerConfig
from workers.jobs import Job
from workers.scoring import job as scoring


def daily_jobs(config: WorkerConfig) -> list[Job]:
    """Scores first, then the call lists and the care run that read them."""
    zone = ZoneInfo(config.time_zone)

    async def score(tick: datetime) -> str:
        report = await scoring.run(config, tick.astimezone(zone).date(), keeps_champion=True)
        return report.line

    async def care_run(tick: datetime) -> str:
        report = await care_runs.run(tick.astimezone(zone).date())
        return f"{report.eligible} eligible = {report.sent} sent + {report.held} held + {report.suppressed} suppressed"

    async def build_lists(tick: datetime) -> str:
        report = await care_runs.build_lists(tick.astimezone(zone).date())
        return f"{report.eligible} calls = {report.sent} sent + {report.held} held + {report.suppressed} suppressed"

    return [Job("score", time(2), score), Job("build_lists", time(5), build_lists), Job("care_run", time(6), care_run)]
