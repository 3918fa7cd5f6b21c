"""search_page: fifty hits as a search list shows them, by the beginning of a name, the end of a phone, or a tag.

One document with the search as a variable, against a plain endpoint with a statement by hand for each kind of search.
Both order the hits, say whether there are more and give the cursors of the next page.
"""

from typing import Any
from urllib.parse import urlencode

from bench.actors import operator_token
from bench.asking import CONNECTIONS, DOCUMENTS, POOL_SIZE, Asked, answer, assert_equal, body, both_servers, sides
from bench.catalogue import TAGS
from bench.harness import Bench, Result, compare
from bench.names import GIVEN_EN, SURNAMES_ZH
from bench.spec import Spec
from bench.world import world
from domain.people.names import name_key

HITS = 50


async def search(server_url: str, spec: Spec, *, seconds: float, rounds: int) -> list[Result]:
    """The bench. Raises when the two sides do not answer the same, or fewer than a page."""
    async with world(server_url, spec, "nestling_bench_search") as database:
        token, questions = await operator_token(database), search_questions()
        async with both_servers(database) as (ours, plain):
            asked = sides(questions, ours, plain, token)
            for question in questions:
                page = answer(question, ours.url, token)["data"]["members"]
                assert len(page["edges"]) == HITS, f"{question.path} has fewer than {HITS} hits in so small a world"
            size = (
                f"{HITS} hits by name, phone or tag; {spec.members:,} members; "
                f"{CONNECTIONS} connections, pool of {POOL_SIZE}"
            )
            result = await compare(
                Bench("search_page", "requests/s", goal=0.7, size=size), *asked.rates(seconds), rounds=rounds
            )
            assert_equal(questions[0], ours.url, plain.url, token)
            return [result]


def search_questions(first: int = HITS) -> list[Asked]:
    """The three kinds of search in turn; names in both scripts."""
    text = (DOCUMENTS / "search_page.graphql").read_text()

    def asked(search: dict[str, str], **plain: Any) -> Asked:
        return Asked(body(text, {"search": search, "first": first}), f"/search?{urlencode({**plain, 'first': first})}")

    han = [asked({"name": name}, by="name", text=name) for name in SURNAMES_ZH]
    latin = [asked({"name": name}, by="latin", text=name, key=name_key(name)) for name in GIVEN_EN[: len(han)]]
    names = [name for pair in zip(han, latin, strict=True) for name in pair]
    phones = [asked({"phoneEnding": f"01{n:02}"}, by="phone", text=f"01{n:02}") for n in range(len(names))]
    tags = [asked({"tag": TAGS[n % len(TAGS)][0]}, by="tag", text=TAGS[n % len(TAGS)][0]) for n in range(len(names))]
    return [question for three in zip(names, phones, tags, strict=True) for question in three]
