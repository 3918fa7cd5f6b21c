"""Phones and e-mail addresses have one spelling, whatever was typed."""

import re

import phonenumbers
from hypothesis import strategies as st

from domain.people.identities import IdentityKind
from domain.people.identity_blocks import is_test_value
from domain.people.phones import normalised_email, normalised_phone
from tests.properties import holds_for

REGIONS = ["US", "CN", "GB", "DE", "BR"]
ordinary = st.text("0123456789", min_size=6, max_size=11)
fictional = st.tuples(
    st.sampled_from(["212", "415", "312", "202"]), st.integers(100, 199), st.sampled_from(["", " ", "-", "."])
).map(lambda parts: f"{parts[0]}{parts[2]}555{parts[2]}0{parts[1]}")
typed = st.text("0123456789+-() .０１２３４５６７８９＋;ext#", max_size=24) | ordinary | fictional


@holds_for(typed, st.sampled_from(REGIONS), many=10_000)
def test_a_phone_is_refused_or_has_one_spelling_that_any_region_reads_alike(text: str, region: str) -> None:
    number = normalised_phone(text, region)
    if number is None:
        return
    assert re.fullmatch(r"\+[1-9]\d{6,14}", number)
    assert {normalised_phone(number, other) for other in REGIONS} == {number}
    full_width = number.translate({ord("+"): "＋", **{ord(str(n)): chr(0xFF10 + n) for n in range(10)}})
    assert normalised_phone(full_width, region) == number
    spoken = phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert normalised_phone(f" {spoken} ", region) == number


def test_more_digits_than_e164_allows_are_no_number() -> None:
    assert normalised_phone("2010000000000", "DE") == "+492010000000000"
    assert normalised_phone("20100000000000", "DE") is None


@holds_for(fictional, many=2_000)
def test_numbers_of_stories_are_valid_and_known_for_what_they_are(text: str) -> None:
    number = normalised_phone(text, "US")
    assert number is not None
    assert is_test_value(IdentityKind.PHONE, number)


@holds_for(st.text(max_size=30) | st.emails(), many=2_000)
def test_an_address_is_refused_or_keeps_its_one_spelling(text: str) -> None:
    address = normalised_email(text)
    if address is not None:
        assert normalised_email(address) == normalised_email(f" {address.upper()}\t") == address
        assert address.count("@") == 1
