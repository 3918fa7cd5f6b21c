"""The carers of the demo's made-up families: cards and phones by which they are found, the same on every machine."""

from dataclasses import dataclass

from domain.people.identities import IdentityKind
from domain.people.members import CarerRole
from domain.people.registrations import GivenIdentity
from domain.platform.sources import Channel, Purpose

MALL = "demo-mall"


@dataclass(frozen=True, slots=True)
class Carer:
    """A made-up person as she stands at the till. The phones are fiction's, and no made-up buyer's."""

    name: str
    card: str
    phone: str
    role: CarerRole = CarerRole.MOTHER
    language: str = "en"
    email: str = ""
    allows: tuple[tuple[Purpose, Channel], ...] = ()


SERVED = ((Purpose.SERVICE, Channel.SMS), (Purpose.SERVICE, Channel.CALL))
CARED_FOR = (*SERVED, (Purpose.CARE, Channel.SMS), (Purpose.CARE, Channel.EMAIL), (Purpose.CARE, Channel.CALL))

GRACE = Carer("Grace Lin", "8899002401", "+15165550190", email="grace.lin@example.com", allows=CARED_FOR)
GRANDMOTHER = Carer(
    "陈桂兰", "8899002402", GRACE.phone, CarerRole.GRANDPARENT, "zh-Hans", allows=((Purpose.SERVICE, Channel.CALL),)
)
HANNAH = Carer("Hannah Reed", "8899002403", "+15165550191", email="hannah.reed@example.com", allows=CARED_FOR)
NORA = Carer("Nora Watson", "8899002404", "+15165550192", allows=SERVED)
LI_NA = Carer("李娜", "8899002405", "+15165550193", language="zh-Hans", allows=SERVED)
NORA_ONLINE = GivenIdentity(IdentityKind.MALL_ACCOUNT, "nora.w.516", MALL)
LI_NA_ONLINE = GivenIdentity(IdentityKind.MALL_ACCOUNT, "lina.88", MALL)
