"""`nestling duplicates`: an operator looks after an import."""

from pathlib import Path

from domain.people.identities import IdentityKind
from domain.people.members import Member, MemberStatus
from domain.people.merge_suggestions import MergeSuggestion
from tests.factories import make_identity, make_member
from tests.nestling.commands import several


async def test_a_search_says_what_it_found_and_finds_it_once(db: str, tmp_path: Path) -> None:
    members = [await make_member(name_key="emma johnson") for _ in range(2)]
    for member in members:
        is_first = member is members[0]
        await make_identity(member, IdentityKind.EMAIL, "emma@example.com", is_primary=is_first)
    told = await several(tmp_path, db, ("duplicates find", ""), ("duplicates find", ""))
    assert told[0][0] == told[1][0] == 0, told
    assert "2 members looked at, 1 new pair to decide: mergeSuggestions in GraphQL has them all." in told[0][1]
    assert "0 members looked at, 0 new pairs to decide." in told[1][1]
    [pair] = await MergeSuggestion.all()
    assert {pair.one_id, pair.other_id} == {member.id for member in members}
    assert await Member.filter(status=MemberStatus.ACTIVE).count() == 2
