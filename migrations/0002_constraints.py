"""The constraints that the tables declare. In a migration of their own: tortoise 1.1.9 ignores them in CreateModel."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint


class Migration(migrations.Migration):
    dependencies = [("nestling", "0001_initial")]

    operations = [
        ops.AddConstraint(
            "Baby", CheckConstraint(check="sex IN ('FEMALE', 'MALE', 'UNKNOWN')", name="babies_sex_known")
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(check="feeding IN ('BREAST', 'MIXED', 'FORMULA', 'UNKNOWN')", name="babies_feeding_known"),
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(
                check="presence_source IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
                name="babies_presence_source_known",
            ),
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(check="presence_confidence BETWEEN 0 AND 1", name="babies_presence_confidence_probability"),
        ),
        ops.AddConstraint(
            "Baby", CheckConstraint(check="due_confidence BETWEEN 0 AND 1", name="babies_due_confidence_probability")
        ),
        ops.AddConstraint(
            "Baby", CheckConstraint(check="born_confidence BETWEEN 0 AND 1", name="babies_born_confidence_probability")
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(check="(due_on IS NULL) = (due_source IS NULL)", name="babies_due_date_has_a_source"),
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(check="(born_on IS NULL) = (born_source IS NULL)", name="babies_birth_date_has_a_source"),
        ),
        ops.AddConstraint(
            "Baby", CheckConstraint(check="gestation_weeks BETWEEN 20 AND 45", name="babies_gestation_is_plausible")
        ),
        ops.AddConstraint(
            "Product",
            CheckConstraint(
                check="baby_class IN ('FORMULA', 'BABY_FOOD', 'DIAPER', 'BABY_CARE', 'NONE')",
                name="products_baby_class_known",
            ),
        ),
        ops.AddConstraint(
            "Product",
            CheckConstraint(
                check="formula_class IN ('INFANT_FORMULA', 'FOLLOW_ON', 'GROWING_UP', 'SPECIAL_MEDICAL', 'BOTTLE_TEAT', 'COMPLEMENTARY', 'UNKNOWN', 'NONE')",
                name="products_formula_class_known",
            ),
        ),
        ops.AddConstraint(
            "Product", CheckConstraint(check="formula_stage BETWEEN 1 AND 4", name="products_formula_stage_known")
        ),
        ops.AddConstraint(
            "Product",
            CheckConstraint(
                check="baby_class <> 'FORMULA' OR formula_class <> 'NONE'", name="products_formula_has_a_class"
            ),
        ),
        ops.AddConstraint(
            "Receipt",
            CheckConstraint(
                check="kind IN ('ACCEPTED', 'DELIVERED', 'UNDELIVERED', 'BOUNCED', 'COMPLAINED')",
                name="receipts_kind_known",
            ),
        ),
        ops.AddConstraint(
            "ScoringModel",
            CheckConstraint(check="state IN ('CHALLENGER', 'CHAMPION', 'RETIRED')", name="scoring_models_state_known"),
        ),
        ops.AddConstraint(
            "ScoringModel",
            UniqueConstraint(fields=("name",), name="scoring_models_one_champion", condition="state = 'CHAMPION'"),
        ),
        ops.AddConstraint(
            "Staff", CheckConstraint(check="scope IN ('OWN', 'STORE', 'DISTRIBUTOR', 'ALL')", name="staff_scope_known")
        ),
        ops.AddConstraint(
            "Account",
            CheckConstraint(
                check="role IN ('CONSULTANT', 'ADVISOR', 'STORE_MANAGER', 'OPERATOR', 'ANALYST', 'AUDITOR', 'FRONTEND', 'MEMBER')",
                name="accounts_role_known",
            ),
        ),
        ops.AddConstraint(
            "Member", CheckConstraint(check="status IN ('ACTIVE', 'BLOCKED', 'ERASED')", name="members_status_known")
        ),
        ops.AddConstraint(
            "Member",
            CheckConstraint(
                check="carer_role IN ('MOTHER', 'FATHER', 'GRANDPARENT', 'NANNY', 'OTHER', 'UNKNOWN')",
                name="members_carer_role_known",
            ),
        ),
        ops.AddConstraint(
            "ApiToken",
            CheckConstraint(
                check="role IN ('CONSULTANT', 'ADVISOR', 'STORE_MANAGER', 'OPERATOR', 'ANALYST', 'AUDITOR', 'FRONTEND', 'MEMBER')",
                name="api_tokens_role_known",
            ),
        ),
        ops.AddConstraint(
            "ApiToken",
            CheckConstraint(
                check="(role = 'MEMBER') = (member_id IS NOT NULL) AND (role IN ('MEMBER', 'FRONTEND')) = (account_id IS NULL)",
                name="api_tokens_belong_to_their_role",
            ),
        ),
        ops.AddConstraint(
            "CallbackTask",
            CheckConstraint(
                check="kind IN ('NEW_CUSTOMER_RETURN', 'CROSS_BUY', 'CAN_FINISH', 'STAGE_SWITCH', 'WIN_BACK', 'PROMISE', 'COMPLAINT', 'CARE_VISIT')",
                name="callback_tasks_kind_known",
            ),
        ),
        ops.AddConstraint(
            "CallbackTask",
            CheckConstraint(
                check="state IN ('OPEN', 'LEASED', 'DONE', 'CANCELLED', 'EXPIRED')", name="callback_tasks_state_known"
            ),
        ),
        ops.AddConstraint(
            "CallbackTask",
            CheckConstraint(check="purpose IN ('CARE', 'SERVICE', 'PROMOTION')", name="callback_tasks_purpose_known"),
        ),
        ops.AddConstraint(
            "CallbackTask",
            CheckConstraint(
                check="disposition IN ('REACHED', 'NO_ANSWER', 'BUSY', 'WRONG_NUMBER', 'CALL_LATER', 'REFUSED', 'DO_NOT_CALL')",
                name="callback_tasks_disposition_known",
            ),
        ),
        ops.AddConstraint(
            "CallbackTask",
            CheckConstraint(
                check="(state = 'LEASED') = (lease_account_id IS NOT NULL AND lease_until IS NOT NULL)",
                name="callback_tasks_a_lease_has_a_holder",
            ),
        ),
        ops.AddConstraint(
            "CallbackOutcome",
            CheckConstraint(
                check="disposition IN ('REACHED', 'NO_ANSWER', 'BUSY', 'WRONG_NUMBER', 'CALL_LATER', 'REFUSED', 'DO_NOT_CALL')",
                name="callback_outcomes_disposition_known",
            ),
        ),
        ops.AddConstraint(
            "Consent",
            CheckConstraint(check="purpose IN ('CARE', 'SERVICE', 'PROMOTION')", name="consents_purpose_known"),
        ),
        ops.AddConstraint(
            "Consent",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="consents_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Consent", CheckConstraint(check="state IN ('GRANTED', 'WITHDRAWN')", name="consents_state_known")
        ),
        ops.AddConstraint(
            "Consent",
            CheckConstraint(
                check="source IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
                name="consents_source_known",
            ),
        ),
        ops.AddConstraint(
            "Decision", CheckConstraint(check="verdict IN ('SEND', 'HOLD', 'SUPPRESS')", name="decisions_verdict_known")
        ),
        ops.AddConstraint(
            "Decision",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="decisions_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Decision",
            CheckConstraint(check="purpose IN ('CARE', 'SERVICE', 'PROMOTION')", name="decisions_purpose_known"),
        ),
        ops.AddConstraint(
            "Identity",
            CheckConstraint(
                check="kind IN ('WECHAT_UNIONID', 'WECOM_EXTERNAL_ID', 'WECHAT_OPENID', 'CARD', 'MALL_ACCOUNT', 'POS_ID', 'PAYMENT_CARD_TOKEN', 'EXTERNAL_ID', 'PHONE', 'EMAIL', 'DEVICE')",
                name="identities_kind_known",
            ),
        ),
        ops.AddConstraint("Identity", CheckConstraint(check="value <> ''", name="identities_value_not_empty")),
        ops.AddConstraint(
            "Identity",
            UniqueConstraint(
                fields=("kind", "namespace", "value"), name="identities_one_person", condition="is_primary"
            ),
        ),
        ops.AddConstraint(
            "Identity",
            CheckConstraint(
                check="is_primary OR kind IN ('PHONE', 'EMAIL', 'DEVICE')", name="identities_strong_kinds_are_primary"
            ),
        ),
        ops.AddConstraint(
            "Interaction",
            CheckConstraint(
                check="kind IN ('VISIT', 'CALL', 'CHAT', 'REPLY', 'QUESTION', 'NOTE', 'REVIEW', 'CLASS')",
                name="interactions_kind_known",
            ),
        ),
        ops.AddConstraint(
            "Interaction",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="interactions_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Interaction",
            CheckConstraint(
                check="direction IN ('INBOUND', 'OUTBOUND', 'INTERNAL')", name="interactions_direction_known"
            ),
        ),
        ops.AddConstraint(
            "Message",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="messages_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Message",
            CheckConstraint(check="purpose IN ('CARE', 'SERVICE', 'PROMOTION')", name="messages_purpose_known"),
        ),
        ops.AddConstraint(
            "Message",
            CheckConstraint(
                check="state IN ('PLANNED', 'HELD', 'QUEUED', 'SENDING', 'ACCEPTED', 'UNKNOWN', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'SUPPRESSED', 'CANCELLED', 'EXPIRED', 'UNKNOWN_FINAL', 'DEAD')",
                name="messages_state_known",
            ),
        ),
        ops.AddConstraint(
            "Message",
            CheckConstraint(
                check="(state = 'SENDING') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
                name="messages_sending_has_a_lease",
            ),
        ),
        ops.AddConstraint(
            "Order",
            CheckConstraint(
                check="channel IN ('POS', 'MALL', 'MARKETPLACE', 'MINI_PROGRAM', 'CALL_CENTRE')",
                name="orders_channel_known",
            ),
        ),
        ops.AddConstraint(
            "OrderLine", CheckConstraint(check="quantity >= 0", name="order_lines_quantity_not_negative")
        ),
        ops.AddConstraint(
            "OrderReturn", CheckConstraint(check="amount >= 0", name="order_returns_amount_not_negative")
        ),
        ops.AddConstraint(
            "OrderReturnLine", CheckConstraint(check="quantity > 0", name="order_return_lines_quantity_positive")
        ),
        ops.AddConstraint(
            "Score", CheckConstraint(check="probability BETWEEN 0 AND 1", name="scores_probability_probability")
        ),
        ops.AddConstraint(
            "Suppression",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="suppressions_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Suppression",
            CheckConstraint(
                check="reason IN ('STOP_WORD', 'UNSUBSCRIBED', 'BOUNCED', 'COMPLAINED', 'DO_NOT_CALL', 'WRONG_NUMBER', 'STAFF')",
                name="suppressions_reason_known",
            ),
        ),
        ops.AddConstraint(
            "Suppression",
            UniqueConstraint(
                fields=("channel", "address_hash"), name="suppressions_one_in_force", condition="lifted_at IS NULL"
            ),
        ),
        ops.AddConstraint(
            "Tag",
            CheckConstraint(
                check="family IN ('ATTRIBUTE', 'CONSUMPTION', 'TRANSACTION', 'INTERACTION', 'MODEL')",
                name="tags_family_known",
            ),
        ),
        ops.AddConstraint(
            "MemberTag",
            CheckConstraint(
                check="source IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
                name="member_tags_source_known",
            ),
        ),
        ops.AddConstraint(
            "MemberTag",
            UniqueConstraint(
                fields=("member_id", "tag_id"), name="member_tags_once_at_a_time", condition="removed_at IS NULL"
            ),
        ),
        ops.AddConstraint(
            "Template",
            CheckConstraint(
                check="channel IN ('SMS', 'EMAIL', 'CALL', 'WECHAT', 'WECOM', 'PUSH', 'POS_PROMPT', 'DIRECT_MAIL', 'STORE')",
                name="templates_channel_known",
            ),
        ),
        ops.AddConstraint(
            "Template",
            CheckConstraint(check="purpose IN ('CARE', 'SERVICE', 'PROMOTION')", name="templates_purpose_known"),
        ),
        ops.AddConstraint(
            "Template",
            CheckConstraint(
                check="formula_class IN ('INFANT_FORMULA', 'FOLLOW_ON', 'GROWING_UP', 'SPECIAL_MEDICAL', 'BOTTLE_TEAT', 'COMPLEMENTARY', 'UNKNOWN', 'NONE')",
                name="templates_formula_class_known",
            ),
        ),
    ]
