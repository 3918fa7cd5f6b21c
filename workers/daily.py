"""The daily jobs: each looks rows up and calls one verb. Hours are the installation's, on the business clock."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from domain.outreach import care_runs
from workers.config import WorkerConfig
from workers.jobs import Job
from workers.scoring import job as scoring


def daily_jobs(config: WorkerConfig) -> list[Job]:
    """Scores first, then the care run that reads them, plans the messages and fills the call lists."""
    zone = ZoneInfo(config.time_zone)

    async def score(tick: datetime) -> str:
        report = await scoring.run(config, tick.astimezone(zone).date(), keeps_champion=True)
        return report.line

    async def care_run(tick: datetime) -> str:
        report = await care_runs.run(tick.astimezone(zone).date())
        return f"{report.eligible} eligible = {report.sent} sent + {report.held} held + {report.suppressed} suppressed"

    return [Job("score", time(2), score), Job("care_run", time(6), care_run)]
