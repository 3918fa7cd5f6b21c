"""Stores, and the distributors whom they belong to."""

from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.ids import new_id


class Distributor(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=200, unique=True)

    class Meta:
        table = "distributors"


class Store(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    name = fields.CharField(max_length=200)
    distributor: fields.ForeignKeyRelation["Distributor"] = fields.ForeignKeyField(
        "nestling.Distributor", related_name="stores", on_delete=fields.RESTRICT
    )
    distributor_id: UUID
    time_zone = fields.CharField(max_length=64, default="UTC")
    phone = fields.CharField(max_length=32, null=True)

    class Meta:
        table = "stores"
        unique_together = (("source", "external_id"),)
