"""Merge rules: what becomes of every column that names a member, a household or a baby when two members are one.

One table of them all. A test reads PostgreSQL's catalogue and fails when a column is missing here: whoever adds a table
says what a merge does with it.
"""

from enum import StrEnum


class Rule(StrEnum):
    MOVES = "MOVES"  # the row is hers from now on; what arrives later under the old id follows by a trigger
    COMBINES = "COMBINES"  # moves, and where both have one, one statement of `merge_steps` says what stands
    DERIVED = "DERIVED"  # computed anew from what moved: the absorbed one's rows go, and come back when it is undone
    STAYS = "STAYS"  # history, credentials, or the merge's own book-keeping: true of the row as it was


RULES: dict[tuple[str, str], Rule] = {
    ("orders", "member_id"): Rule.MOVES,
    ("interactions", "member_id"): Rule.MOVES,
    ("messages", "member_id"): Rule.MOVES,
    ("callback_tasks", "member_id"): Rule.MOVES,
    ("decisions", "member_id"): Rule.MOVES,
    ("suppressions", "member_id"): Rule.MOVES,  # in force by address, whoever holds it: the union by themselves
    ("consents", "member_id"): Rule.COMBINES,  # the strictest of both sides' latest words is said again, last
    ("identities", "member_id"): Rule.COMBINES,  # one row for a value that both hold
    ("identities", "home_id"): Rule.STAYS,
    ("member_tags", "member_id"): Rule.COMBINES,  # of one tag on both the later stays in force
    ("member_tags", "household_id"): Rule.COMBINES,
    ("member_tags", "baby_id"): Rule.COMBINES,
    ("attention_slots", "member_id"): Rule.COMBINES,  # what both had is what she had
    ("scores", "member_id"): Rule.COMBINES,  # the survivor's, by model; the absorbed one's where she has none
    ("api_tokens", "member_id"): Rule.STAYS,  # opens nothing while its member is merged away
    ("members", "household_id"): Rule.MOVES,
    ("babies", "household_id"): Rule.MOVES,
    # of a child whom both families brought
    ("messages", "baby_id"): Rule.MOVES,
    ("callback_tasks", "baby_id"): Rule.MOVES,
    ("interactions", "baby_id"): Rule.MOVES,
    ("losses", "baby_id"): Rule.MOVES,
    ("consents", "baby_id"): Rule.MOVES,
    ("guardian_consents", "baby_id"): Rule.MOVES,
    ("consents_in_force", "baby_id"): Rule.STAYS,
    ("care_ahead", "baby_id"): Rule.STAYS,  # the database sets her day back, and messages say what she had
    ("members", "merged_into_id"): Rule.STAYS,
    ("households", "merged_into_id"): Rule.STAYS,
    ("merges", "survivor_id"): Rule.STAYS,
    ("merges", "absorbed_id"): Rule.STAYS,
    ("merge_suggestions", "one_id"): Rule.STAYS,
    ("merge_suggestions", "other_id"): Rule.STAYS,
    ("duplicate_looks", "member_id"): Rule.STAYS,  # who is gone is not looked at, and who has more now is noted anew
    ("audit_entries", "member_ids"): Rule.STAYS,
    ("consents_in_force", "member_id"): Rule.STAYS,  # triggers keep it in step with consents
    ("guardian_consents", "member_id"): Rule.MOVES,
    ("owner_assignments", "member_id"): Rule.MOVES,
    ("member_facts", "member_id"): Rule.STAYS,  # the database notes who changed, and facts are made anew
    ("member_facts", "household_id"): Rule.STAYS,
    ("member_changes", "member_id"): Rule.STAYS,
    ("segment_members", "member_id"): Rule.STAYS,  # as facts
    ("erasures", "member_id"): Rule.STAYS,  # who was asked for: a key confirms for her alone
}

KEYS = {"attention_slots": "bigint", "scores": "bigint", "owner_assignments": "bigint"}
"""The type of a table's key, where it is no UUID."""


def tables(rule: Rule, column: str = "member_id") -> list[str]:
    """The tables whose `column` has this rule, in the order in which they stand above."""
    return [table for (table, named), ruled in RULES.items() if ruled is rule and named == column]
