"""List, for every kind: newest first, filtered, paged with tokens that only this server can make."""

import base64
import binascii
import hashlib
import hmac
import itertools
import json
import secrets
from collections.abc import Callable
from typing import Any

from forecastd.errors import InvalidInput, InvalidNextToken
from forecastd.operations.context import Context
from forecastd.operations.kinds import Kind
from forecastd.operations.views import select, view

DEFAULT_PAGE_SIZE = 100
TOKEN_LIFETIME_S = 24 * 3600.0
_SIGNATURE_BYTES = 16


def operation(name: str, kinds: list[Kind]) -> Callable[[Context, dict[str, Any]], dict[str, Any]]:
    """Give a list operation for the kinds that it shows."""
    names = [kind.name for kind in kinds]

    def list_page(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        filters = arguments.get("Filters", [])
        _check_filters(kinds[0], filters)
        scope = f"{name} {json.dumps(filters, sort_keys=True)}"
        before = _read_token(context, scope, arguments.get("NextToken"))
        size = arguments.get("MaxResults", DEFAULT_PAGE_SIZE)
        matching = _matching(context, names, filters, before)
        page = list(itertools.islice(matching, size + 1))
        list_member, members = context.spec.summary_members(name)
        answer: dict[str, Any] = {list_member: [select(values, members) for _, values in page[:size]]}
        if len(page) > size:
            answer["NextToken"] = _make_token(context, scope, page[size - 1][0].seq)
        return answer

    return list_page


def _matching(context: Context, kinds: list[str], filters: list[dict[str, str]], before: int | None) -> Any:
    for record in context.store.newest_first(kinds, before):
        values = view(context, record)
        if all(_fits(values, one) for one in filters):
            yield record, values


def _fits(values: dict[str, Any], one: dict[str, str]) -> bool:
    return (values.get(one["Key"]) == one["Value"]) == (one["Condition"] == "IS")


def _check_filters(kind: Kind, filters: list[dict[str, str]]) -> None:
    unknown = [one["Key"] for one in filters if one["Key"] not in kind.filters]
    if unknown:
        raise InvalidInput(
            f"The filter key {unknown[0]} is not known to {kind.lister}; it knows {', '.join(kind.filters)}."
        )


# -- tokens: the place in the list, signed, bound to the operation and its filters


def _make_token(context: Context, scope: str, seq: int) -> str:
    payload = json.dumps({"seq": seq, "until": context.store.now() + TOKEN_LIFETIME_S}).encode()
    return base64.urlsafe_b64encode(_sign(context, scope, payload) + payload).decode()


def _read_token(context: Context, scope: str, token: str | None) -> int | None:
    if token is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, ValueError):
        raise _invalid() from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(context, scope, payload)):
        raise _invalid()
    place = json.loads(payload)
    if place["until"] < context.store.now():
        raise _invalid()
    return place["seq"]


def _invalid() -> InvalidNextToken:
    return InvalidNextToken(
        "The NextToken is not valid here: use the one from the page before, with the same filters,"
        " within 24 hours."
    )


def _sign(context: Context, scope: str, payload: bytes) -> bytes:
    key = context.store.secret("next-token", lambda: secrets.token_hex(32))
    message = scope.encode() + b"\n" + payload
    return hmac.new(key.encode(), message, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
