"""The OpenAPI document, made from the route table and the very structs that are decoded.

There is no second description of a message that could drift from the first.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from quarterdeck.api.endpoint import Endpoint
from quarterdeck.api.errors import ErrorBody

_REF: Final = "#/components/schemas/{name}"
_PATH_FIELD = re.compile(r"\{([a-z_]+)\}")
_ALWAYS: Final = (401, 403, 429, 500)


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """Return the document as plain values."""
    rows = tuple(endpoints)
    types: list[type[Struct]] = [ErrorBody]
    for row in rows:
        types += [kind for kind in (row.body, row.answer) if kind is not None and kind not in types]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Quarterdeck live desk",
            "version": version,
            "description": "Decimals are strings in plain notation, times are integer nanoseconds "
            "since 1970 UTC, and every answer that is no success is an ErrorBody.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(row: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": row.handler.__name__,
        "summary": row.summary,
        "parameters": [*_path_parameters(row.path), *_query_parameters(row.query)],
        "responses": {
            str(row.status): _response(row.status, row.answer),
            **{str(status): _response(status, ErrorBody) for status in _refusals(row)},
        },
        "security": [] if row.scope is None else [{"key": [row.scope.value]}],
    }
    if row.body is not None:
        required = any(field.required for field in msgspec.structs.fields(row.body))
        operation["requestBody"] = {"required": required, "content": _json(row.body)}
    return operation


def _refusals(row: Endpoint) -> list[int]:
    return sorted({*row.refusals, *(() if row.scope is None else _ALWAYS)})


def _response(status: int, kind: type[Struct] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    described["content"] = _json(kind) if kind is not None else {"text/plain": {}}
    return described


def _json(kind: type[Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_FIELD.findall(path)
    ]


def _query_parameters(kind: type[Struct] | None) -> list[dict[str, Any]]:
    if kind is None:
        return []
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": _inline(field.type),
        }
        for field in msgspec.structs.fields(kind)
    ]


def _inline(kind: Any) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs", {})
    return {name: _resolved(item, definitions) for name, item in schema.items()}


def _resolved(node: Any, definitions: dict[str, Any]) -> Any:
    """Put definitions where they are referred to: parameters have no components of their own."""
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return definitions[str(node["$ref"]).rpartition("/")[2]]
    return {name: _resolved(item, definitions) for name, item in node.items()}
