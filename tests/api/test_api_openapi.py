"""The OpenAPI document says what the code does: same fields, types and allowed values."""

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import EnumType
from types import NoneType
from typing import Any, Final, get_args

import msgspec
import pytest
from msgspec.structs import fields
from tests.api.standins import Rig

from quarterdeck.api.errors import STATUS, ErrorBody
from quarterdeck.api.live import description
from quarterdeck.api.routes import ENDPOINTS
from quarterdeck.core.model.reasons import BANDS, Reason, band
from quarterdeck.core.model.terms import OrderRequest

DOCUMENT: Final[dict[str, Any]] = msgspec.json.decode(description("test"))
SCHEMAS: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]
JSON_TYPES = {str: "string", bool: "boolean", int: "integer", Decimal: "string"}


def kinds(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the alternatives of a schema, references followed."""
    if "$ref" in schema:
        yield from kinds(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from kinds(one)
    else:
        yield schema


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_documented_order_has_the_fields_of_the_message():
    documented = SCHEMAS["OrderRequest"]
    assert list(documented["properties"]) == list(OrderRequest.__struct_fields__)
    required = {field.name for field in fields(OrderRequest) if field.required}
    assert set(documented["required"]) == required
    assert required == {"operation_id", "instrument_key", "side", "quantity", "order_type"}
    assert documented["additionalProperties"] is False


@pytest.mark.parametrize("field", fields(OrderRequest), ids=lambda field: field.name)
def test_each_documented_field_has_its_type_and_allowed_values(field: msgspec.structs.FieldInfo):
    documented = list(kinds(SCHEMAS["OrderRequest"]["properties"][field.name]))
    union = get_args(field.type) if NoneType in get_args(field.type) else (field.type,)
    assert any(one.get("type") == "null" for one in documented) is (NoneType in union)
    for kind in set(union) - {NoneType}:
        if isinstance(kind, EnumType):
            assert any(set(one.get("enum", ())) == {m.value for m in kind} for one in documented)
        elif kind in JSON_TYPES:
            assert any(one.get("type") == JSON_TYPES[kind] for one in documented)
        else:
            assert any(one.get("type") in {"array", "object"} for one in documented)


def test_every_route_is_described_with_its_scope_and_refusals():
    described = {
        (path, method.upper()) for path, row in DOCUMENT["paths"].items() for method in row
    }
    assert described == {(endpoint.path, endpoint.method) for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        row = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
        assert row["security"] == ([{"key": [endpoint.scope]}] if endpoint.scope else [])
        statuses = set(map(int, row["responses"]))
        assert statuses >= {endpoint.status, *endpoint.refusals}
        named = {one["name"] for one in row["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", endpoint.path))


def test_every_reference_leads_somewhere():
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in SCHEMAS


def test_operation_ids_are_unique():
    ids = [row["operationId"] for path in DOCUMENT["paths"].values() for row in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_code_of_intake_has_a_status_of_its_own_or_422():
    intake = [reason for reason in Reason if band(reason) == "intake"]
    first, last = BANDS["intake"]
    assert (intake[0], intake[-1]) == (first, last)
    assert {reason: STATUS[reason] for reason in intake if reason in STATUS} == STATUS


async def test_answers_have_the_documented_fields(rig: Rig):
    order = {
        "operation_id": "OP-1",
        "instrument_key": "BINANCE-SPOT:SPOT_PAIR:BTC-USDT",
        "side": "BUY",
        "quantity": "0.5",
        "order_type": "LIMIT",
        "price": "50000",
    }
    await rig.client.post("/api/orders", json=order)
    view = next(iter(rig.record.views)).hex()
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET" or endpoint.answer is None:
            continue
        path = endpoint.path.replace("{operation_id}", "OP-1").replace("{hash}", view)
        answer = await rig.client.get(path)
        assert answer.status_code == 200
        documented = SCHEMAS[endpoint.answer.__name__]
        assert set(answer.json()) == set(documented["properties"])
        msgspec.json.decode(answer.content, type=endpoint.answer)
    refused = await rig.client.get("/api/orders/none")
    msgspec.json.decode(refused.content, type=ErrorBody)


async def test_the_document_is_served(rig: Rig):
    answer = await rig.client.get("/openapi.json")
    assert answer.json() == DOCUMENT
