"""Feeding profiles: which stage of formula since when, packs at home as counted, who said so; and adoption."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.platform.sources import Source


class Migration(migrations.Migration):
    dependencies = [("nestling", "0016_touches")]

    operations = [
        ops.AddField("Baby", "feeding_source", fields.CharEnumField(null=True, enum_type=Source, max_length=16)),
        ops.AddField("Baby", "formula_stage", fields.SmallIntField(null=True)),
        ops.AddField("Baby", "formula_stage_since", fields.DateField(null=True)),
        ops.AddField("Baby", "packs_at_home", fields.SmallIntField(null=True)),
        ops.AddField("Baby", "packs_counted_on", fields.DateField(null=True)),
        ops.AddField("Baby", "adopted_on", fields.DateField(null=True)),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(
                name="babies_feeding_source_known",
                check="feeding_source IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
            ),
        ),
        ops.AddConstraint(
            "Baby", CheckConstraint(name="babies_formula_stage_is_on_a_label", check="formula_stage BETWEEN 1 AND 4")
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(
                name="babies_formula_stage_has_its_day",
                check="(formula_stage IS NULL) = (formula_stage_since IS NULL)",
            ),
        ),
        ops.AddConstraint(
            "Baby",
            CheckConstraint(name="babies_packs_were_counted", check="(packs_at_home IS NULL) = (packs_counted_on IS NULL)"),
        ),
        ops.AddConstraint(
            "Baby", CheckConstraint(name="babies_packs_are_plausible", check="packs_at_home BETWEEN 0 AND 99")
        ),
    ]
