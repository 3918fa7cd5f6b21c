"""`nestling score` in a process of its own, on a handful of members: too few to judge, enough to hand out."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from domain.insight.scores import Score
from domain.platform.clock import set_business_clock
from tests.factories import NOON, make_member, make_order, make_product
from tests.nestling.commands import together


async def test_it_tells_what_it_made_and_refuses_what_cannot_be_known(db: str, tmp_path: Path) -> None:
    await set_business_clock(NOON)
    diapers = await make_product("DIAPERS & DISPOSABLES")
    members = [await make_member() for _ in range(8)]
    for number, member in enumerate(members):
        for week in range(4):
            await make_order(member, NOON - timedelta(days=7 * week + number + 1), product=diapers)
    (tmp_path / "file").touch()
    scored, tomorrow, unread, before, nowhere = await together(
        tmp_path, db, "score --export out", "score --as-of 2017-12-16", "score --as-of 16.12.2017",
        "score --as-of 2017-06-01 --export none",
        "score --export file/out",
    )  # fmt: skip
    assert scored.returncode == 0, scored.stderr
    assert "As of 2017-12-15: 8 members, 32 orders." in scored.stdout
    assert "churn: not judged" in scored.stdout
    assert "everybody gets the base rate. 8 live scores." in scored.stdout
    assert "cross-sell scores. Live scores stay as they were." in scored.stdout
    assert "8 predictions in out" in scored.stdout
    live = {(str(score.member_id), score.model_name) for score in await Score.all()}
    assert live == {(str(member.id), "churn") for member in members}
    assert pq.read_table(tmp_path / "out" / "churn.parquet").num_rows == 8
    assert tomorrow.returncode == 1
    assert "--as-of 2017-12-16 is after today (2017-12-15 on the business clock)" in tomorrow.stderr
    assert unread.returncode == 2
    assert "'16.12.2017' is no day of the calendar." in unread.stderr
    assert before.returncode == 1
    assert "in the 90 days before 2017-06-01" in before.stderr
    assert "The purchases go from 2017-11-16 to 2017-12-14" in before.stderr
    assert not (tmp_path / "none").exists()
    assert nowhere.returncode == 1
    assert "file is no folder that you may write into" in " ".join(nowhere.stderr.split())
    assert "Traceback" not in tomorrow.stderr + unread.stderr + nowhere.stderr
