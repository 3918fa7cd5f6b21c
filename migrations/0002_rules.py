"""The rules that the tables declare. In a migration of their own: tortoise 1.1.9 ignores them in CreateModel."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from migrations._together import Together

# sets that several tables name
CHANNELS = "('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')"
SOURCES = "('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')"
PURPOSES = "('CARE', 'SERVICE', 'PROMOTION')"
CONSENT_STATES = "('GRANTED', 'WITHDRAWN')"
ROLES = "('CONSULTANT', 'ADVISOR', 'STORE_MANAGER', 'OPERATOR', 'ANALYST', 'AUDITOR', 'FRONTEND', 'MEMBER')"
DISPOSITIONS = "('REACHED', 'NO_ANSWER', 'BUSY', 'WRONG_NUMBER', 'CALL_LATER', 'REFUSED', 'DO_NOT_CALL')"
FORMULA_CLASSES = "('INFANT_FORMULA', 'FOLLOW_ON', 'GROWING_UP', 'SPECIAL_MEDICAL', 'BOTTLE_TEAT', 'COMPLEMENTARY', 'UNKNOWN', 'NONE')"
IDENTITY_KINDS = "('WECHAT_UNIONID', 'WECOM_EXTERNAL_ID', 'WECHAT_OPENID', 'CARD', 'MALL_ACCOUNT', 'POS_ID', 'PAYMENT_CARD_TOKEN', 'EXTERNAL_ID', 'PHONE', 'EMAIL', 'DEVICE')"

# model -> name of the constraint -> what holds
CHECKS: dict[str, dict[str, str]] = {
    "ConsentInForce": {
        "consents_in_force_state_known": f"state IN {CONSENT_STATES}",
    },
    "Baby": {
        "babies_sex_known": "sex IN ('FEMALE', 'MALE', 'UNKNOWN')",
        "babies_feeding_known": "feeding IN ('BREAST', 'MIXED', 'FORMULA', 'UNKNOWN')",
        "babies_presence_source_known": f"presence_source IN {SOURCES}",
        "babies_presence_confidence_probability": "presence_confidence BETWEEN 0 AND 1",
        "babies_due_confidence_probability": "due_confidence BETWEEN 0 AND 1",
        "babies_born_confidence_probability": "born_confidence BETWEEN 0 AND 1",
        "babies_due_date_has_a_source": "(due_on IS NULL) = (due_source IS NULL)",
        "babies_birth_date_has_a_source": "(born_on IS NULL) = (born_source IS NULL)",
        "babies_gestation_is_plausible": "gestation_weeks BETWEEN 20 AND 45",
        "babies_feeding_source_known": f"feeding_source IN {SOURCES}",
        "babies_formula_stage_is_on_a_label": "formula_stage BETWEEN 1 AND 4",
        "babies_formula_stage_has_its_day": "(formula_stage IS NULL) = (formula_stage_since IS NULL)",
        "babies_packs_were_counted": "(packs_at_home IS NULL) = (packs_counted_on IS NULL)",
        "babies_packs_are_plausible": "packs_at_home BETWEEN 0 AND 99",
    },
    "IdentityBlock": {
        "identity_blocks_kind_known": f"kind IN {IDENTITY_KINDS}",
        "identity_blocks_reason_known": "reason IN ('PLACEHOLDER', 'TEST_NUMBER', 'STORE_PHONE', 'KIOSK', 'STAFF', 'SHARED')",
        "identity_blocks_value_not_empty": "value <> ''",
        "identity_blocks_are_lifted_by_somebody": "num_nulls(lifted_at, lifted_by) <> 1",
    },
    "Loss": {
        "losses_said_by_known": f"said_by IN {SOURCES}",
        "losses_are_reopened_by_somebody_for_a_reason": "num_nulls(reopened_at, reopened_by, reopen_reason) IN (0, 3)",
    },
    "MemberChange": {
        "member_changes_of_one_are_of_facts": "is_of_facts OR member_id IS NULL",
    },
    "Product": {
        "products_baby_class_known": "baby_class IN ('FORMULA', 'BABY_FOOD', 'DIAPER', 'BABY_CARE', 'NONE')",
        "products_formula_class_known": f"formula_class IN {FORMULA_CLASSES}",
        "products_formula_stage_known": "formula_stage BETWEEN 1 AND 4",
        "products_formula_has_a_class": "baby_class <> 'FORMULA' OR formula_class <> 'NONE'",
    },
    "Receipt": {
        "receipts_kind_known": "kind IN ('ACCEPTED', 'DELIVERED', 'UNDELIVERED', 'BOUNCED', 'COMPLAINED')",
    },
    "ScoringModel": {
        "scoring_models_state_known": "state IN ('CHALLENGER', 'CHAMPION', 'RETIRED')",
    },
    "Segment": {
        "segments_place_is_counted": "place >= 0",
        "segments_archived_have_no_place": "(place IS NULL) <> (archived_at IS NULL)",
        "segments_have_a_name": "name <> ''",
    },
    "Staff": {
        "staff_scope_known": "scope IN ('OWN', 'STORE', 'DISTRIBUTOR', 'ALL')",
    },
    "Account": {
        "accounts_role_known": f"role IN {ROLES}",
    },
    "Member": {
        "members_carer_role_known": "carer_role IN ('MOTHER', 'FATHER', 'GRANDPARENT', 'NANNY', 'OTHER', 'UNKNOWN')",
        "members_status_known": "status IN ('ACTIVE', 'BLOCKED', 'ERASED', 'MERGED')",
        "members_merged_away_lead_on": "(status = 'MERGED') = (merged_into_id IS NOT NULL)",
    },
    "ApiToken": {
        "api_tokens_role_known": f"role IN {ROLES}",
        "api_tokens_belong_to_their_role": "(role = 'MEMBER') = (member_id IS NOT NULL) AND (role IN ('MEMBER', 'FRONTEND')) = (account_id IS NULL)",
    },
    "CallbackTask": {
        "callback_tasks_kind_known": "kind IN ('NEW_CUSTOMER_RETURN', 'CROSS_BUY', 'CAN_FINISH', 'STAGE_SWITCH', 'WIN_BACK', 'PROMISE', 'COMPLAINT', 'CARE_VISIT')",
        "callback_tasks_state_known": "state IN ('OPEN', 'LEASED', 'DONE', 'CANCELLED', 'EXPIRED')",
        "callback_tasks_purpose_known": f"purpose IN {PURPOSES}",
        "callback_tasks_disposition_known": f"disposition IN {DISPOSITIONS}",
        "callback_tasks_a_lease_has_a_holder": "(state = 'LEASED') = (lease_account_id IS NOT NULL AND lease_until IS NOT NULL)",
    },
    "CallbackOutcome": {
        "callback_outcomes_disposition_known": f"disposition IN {DISPOSITIONS}",
    },
    "Consent": {
        "consents_purpose_known": f"purpose IN {PURPOSES}",
        "consents_channel_known": f"channel IN {CHANNELS}",
        "consents_state_known": f"state IN {CONSENT_STATES}",
        "consents_source_known": f"source IN {SOURCES}",
    },
    "Decision": {
        "decisions_verdict_known": "verdict IN ('SEND', 'HOLD', 'SUPPRESS')",
        "decisions_channel_known": f"channel IN {CHANNELS}",
        "decisions_purpose_known": f"purpose IN {PURPOSES}",
    },
    "Erasure": {
        "erasures_reason_known": "reason IN ('MEMBER_ASKED', 'GUARDIAN_ASKED', 'RETENTION_OVER', 'NOT_A_PERSON', 'LAW')",
        "erasures_look_again_after": "looked_again_at IS NULL OR looked_again_at >= erased_at",
    },
    "GuardianConsent": {
        "guardian_consents_state_known": f"state IN {CONSENT_STATES}",
        "guardian_consents_source_known": f"source IN {SOURCES}",
    },
    "Identity": {
        "identities_kind_known": f"kind IN {IDENTITY_KINDS}",
        "identities_value_not_empty": "value <> ''",
    },
    "Interaction": {
        "interactions_kind_known": "kind IN ('VISIT', 'CALL', 'CHAT', 'REPLY', 'QUESTION', 'NOTE', 'REVIEW', 'CLASS')",
        "interactions_channel_known": f"channel IN {CHANNELS}",
        "interactions_direction_known": "direction IN ('INBOUND', 'OUTBOUND', 'INTERNAL')",
        "interactions_mood_known": "mood IN ('PLEASED', 'CALM', 'WORRIED', 'TIRED', 'UPSET')",
        "interactions_a_promise_is_a_call": "num_nulls(promised_for, promise_task_id) IN (0, 2) AND (promise = '' OR promised_for IS NOT NULL)",
    },
    "Merge": {
        "merges_how_known": "how IN ('STAFF', 'AUTOMATIC')",
        "merges_join_two": "survivor_id <> absorbed_id",
        "merges_are_undone_by_somebody_for_a_reason": "num_nulls(unmerged_at, unmerged_by, unmerge_reason) IN (0, 3)",
    },
    "MergeChange": {
        "merge_changes_kind_known": "kind IN ('CHANGED', 'DELETED', 'ADDED')",
    },
    "MergeSuggestion": {
        "merge_suggestions_state_known": "state IN ('OPEN', 'MERGED', 'NEVER')",
        "merge_suggestions_confidence_probability": "confidence BETWEEN 0 AND 1",
        "merge_suggestions_name_a_pair_once": "one_id < other_id",
    },
    "Message": {
        "messages_channel_known": f"channel IN {CHANNELS}",
        "messages_purpose_known": f"purpose IN {PURPOSES}",
        "messages_state_known": "state IN ('PLANNED', 'HELD', 'QUEUED', 'SENDING', 'ACCEPTED', 'UNKNOWN', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'SUPPRESSED', 'CANCELLED', 'EXPIRED', 'UNKNOWN_FINAL', 'DEAD')",
        "messages_sending_has_a_lease": "(state = 'SENDING') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
    },
    "Order": {
        "orders_channel_known": "channel IN ('POS', 'MALL', 'MARKETPLACE', 'MINI_PROGRAM', 'CALL_CENTRE')",
    },
    "OrderLine": {
        "order_lines_quantity_not_negative": "quantity >= 0",
    },
    "OrderReturn": {
        "order_returns_amount_not_negative": "amount >= 0",
    },
    "OrderReturnLine": {
        "order_return_lines_quantity_positive": "quantity > 0",
    },
    "Question": {
        "questions_an_answer_has_a_time": "(answer <> '') = (answered_at IS NOT NULL)",
    },
    "Score": {
        "scores_probability_probability": "probability BETWEEN 0 AND 1",
    },
    "Suppression": {
        "suppressions_channel_known": f"channel IN {CHANNELS}",
        "suppressions_reason_known": "reason IN ('STOP_WORD', 'UNSUBSCRIBED', 'BOUNCED', 'COMPLAINED', 'DO_NOT_CALL', 'WRONG_NUMBER', 'STAFF')",
    },
    "Tag": {
        "tags_family_known": "family IN ('ATTRIBUTE', 'CONSUMPTION', 'TRANSACTION', 'INTERACTION', 'MODEL')",
        "tags_valid_days_positive": "valid_days > 0",
    },
    "MemberTag": {
        "member_tags_source_known": f"source IN {SOURCES}",
        "member_tags_of_one": "num_nonnulls(member_id, baby_id, household_id) = 1",
    },
    "Template": {
        "templates_channel_known": f"channel IN {CHANNELS}",
        "templates_purpose_known": f"purpose IN {PURPOSES}",
        "templates_formula_class_known": f"formula_class IN {FORMULA_CLASSES}",
    },
}
# (model, name, columns, where)
UNIQUE = [
    ("Identity", "identities_one_person", ("kind", "namespace", "value"), "is_primary"),
    ("IdentityBlock", "identity_blocks_one_in_force", ("kind", "value"), "lifted_at IS NULL"),
    ("Merge", "merges_one_standing", ("absorbed_id",), "unmerged_at IS NULL"),
    ("MergeSuggestion", "merge_suggestions_pair", ("one_id", "other_id"), None),
    ("MemberTag", "member_tags_once_at_a_time", ("member_id", "tag_id"), "removed_at IS NULL"),
    ("MemberTag", "member_tags_baby_once_at_a_time", ("baby_id", "tag_id"), "removed_at IS NULL"),
    ("MemberTag", "member_tags_household_once_at_a_time", ("household_id", "tag_id"), "removed_at IS NULL"),
    ("ScoringModel", "scoring_models_one_champion", ("name",), "state = 'CHAMPION'"),
    ("Suppression", "suppressions_one_in_force", ("channel", "address_hash"), "lifted_at IS NULL"),
]


class Migration(migrations.Migration):
    dependencies = [("nestling", "0001_tables")]

    operations = [
        Together(
            *(
                ops.AddConstraint(model, CheckConstraint(name=name, check=check))
                for model, checks in CHECKS.items()
                for name, check in checks.items()
            ),
            *(
                ops.AddConstraint(model, UniqueConstraint(name=name, fields=fields, condition=condition))
                for model, name, fields, condition in UNIQUE
            ),
        )
    ]
