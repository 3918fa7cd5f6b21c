"""Queued messages are claimed by channel, calls that wait for their outcome are looked at every few seconds."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0004_callback_release")]

    operations = [
        ops.RunSQL(
            "DROP INDEX messages_queued_idx; "
            "CREATE INDEX messages_queued_idx ON messages (channel, expires_at) WHERE state = 'QUEUED'; "
            "CREATE INDEX messages_calls_idx ON messages (id) WHERE state = 'ACCEPTED' AND channel = 'CALL'; "
            "CREATE INDEX messages_settle_idx ON messages (provider, next_attempt_at) WHERE state = 'UNKNOWN'; "
            "CREATE INDEX receipts_unapplied_ref_idx ON receipts (provider, provider_ref) WHERE applied_at IS NULL; "
            "CREATE INDEX receipts_unapplied_key_idx ON receipts (client_ref) WHERE applied_at IS NULL",
            reverse_sql="DROP INDEX receipts_unapplied_key_idx; DROP INDEX receipts_unapplied_ref_idx; "
            "DROP INDEX messages_settle_idx; DROP INDEX messages_calls_idx; DROP INDEX messages_queued_idx; "
            "CREATE INDEX messages_queued_idx ON messages (expires_at) WHERE state = 'QUEUED'",
        ),
    ]
