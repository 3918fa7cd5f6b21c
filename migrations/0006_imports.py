"""Rows of imports that wait are found by their record and wait once; what landed of members is remembered by its hash."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0005_gateway_indexes")]

    operations = [
        ops.AddField(
            model_name="ImportIssue",
            name="record_key",
            field=fields.CharField(default="", max_length=200, db_default=""),
        ),
        ops.AddField(
            model_name="ImportIssue",
            name="row_hash",
            field=fields.CharField(default="", max_length=64, db_default=""),
        ),
        ops.CreateModel(
            name="ImportedRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=32)),
                ("source", fields.CharField(max_length=64)),
                ("external_id", fields.CharField(max_length=200)),
                ("payload_hash", fields.CharField(max_length=64)),
                ("landed_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={
                "table": "imported_rows",
                "app": "nestling",
                "unique_together": (("kind", "source", "external_id"),),
                "pk_attr": "id",
                "table_description": "What landed under a source's own id, for tables that keep no payload hash of their own.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(
            "ALTER TABLE imported_rows ALTER COLUMN landed_at SET DEFAULT now(); "
            # rows that wait already keep no hash: each is its own, or two with one reason would refuse the index
            "UPDATE import_issues SET row_hash = 'issue ' || id; "
            "CREATE INDEX import_issues_record_idx ON import_issues (record_key) WHERE resolved_at IS NULL; "
            "CREATE UNIQUE INDEX import_issues_waits_once ON import_issues (row_hash, column_name, code) "
            "WHERE resolved_at IS NULL",
            reverse_sql="DROP INDEX import_issues_waits_once; DROP INDEX import_issues_record_idx",
        ),
    ]
