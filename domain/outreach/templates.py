"""Templates: what may be said, per channel and language. The purpose and product class belong to the template."""

from tortoise import fields
from tortoise.models import Model

from domain.commerce.products import FormulaClass
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose


class Template(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    key = fields.CharField(max_length=100)
    channel = fields.CharEnumField(Channel, max_length=16)
    language = fields.CharField(max_length=16)
    version = fields.IntField()
    purpose = fields.CharEnumField(Purpose, max_length=16)
    formula_class = fields.CharEnumField(FormulaClass, max_length=16, default=FormulaClass.NONE)
    has_reward = fields.BooleanField(default=False)  # a coupon, points or gift in it
    subject = fields.TextField(default="")  # Liquid; e-mail only
    body = fields.TextField()  # Liquid
    body_html = fields.TextField(default="")  # Liquid; e-mail only
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "templates"
        unique_together = (("key", "channel", "language", "version"),)
        constraints = [
            one_of("templates", "channel", Channel),
            one_of("templates", "purpose", Purpose),
            one_of("templates", "formula_class", FormulaClass),
        ]
