"""The API described: OpenAPI for programs at ``/api/openapi.json``, a page for people at ``/api``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from cultureops import __version__
from cultureops.access.roles import PEOPLE, Role
from cultureops.web.api.answer import Problem
from cultureops.web.door.visitor import needing
from cultureops.web.templating import page

__all__ = ["describe", "router"]

router = APIRouter(include_in_schema=False)
OPENAPI_PATH: Final = "/api/openapi.json"
_ABOUT: Final = """\
What the pages of a lab show and take, for programs. Send a token of yours (`Authorization: Bearer ...`, made on your
account page) or the cookie of a log-in with its form token in `X-CSRF`. Whatever goes wrong is told as problem+json
(RFC 9457), in words. Steps are entered with `If-Match`, the ETag of the batch as it was read. Decisions that are signed
are signed by people, on their page.
"""
_PROBLEMS: Final = {
    400: "the address or the body asks for what can't be",
    401: "who asks is not known",
    403: "who asks may not do this, or the change does not come from this lab's own pages",
    404: "there is no such thing here",
    408: "the body did not arrive in time",
    413: "the body is too long",
    503: "a store fails; nothing was recorded",
}
_OF_CHANGES: Final = {
    409: "state, role, gate or somebody else's change stands against it",
    412: "the record has changed since it was read",
    422: "a field holds what it can't",
    428: "If-Match is missing",
}
IF_MATCH: Final = "if-match"
_REF: Final = "#/components/schemas/"


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application's API, made once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="cultureops", version=__version__, description=_ABOUT, routes=app.routes, openapi_version="3.1.0"
        )
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in found["paths"].values():
            for method, operation in operations.items():
                operation["responses"].update(_problems(_PROBLEMS | (_OF_CHANGES if method != "get" else {})))
                if method == "get":
                    operation["responses"].pop("422", None)
                for parameter in operation.get("parameters", ()):
                    parameter["required"] |= parameter["name"].lower() == IF_MATCH  # what lacks it is told so: 428
        found["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "a token of your account, with its scopes"}
        }
        found["security"] = [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


def _problems(known: Mapping[int, str]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}}
    return {str(status): {"description": words, "content": content} for status, words in known.items()}


@router.get(OPENAPI_PATH)
async def openapi(request: Request) -> JSONResponse:
    """The description for programs."""
    return JSONResponse(describe(request.app))


@router.get("/api")
async def api_page(request: Request) -> Response:
    """Every operation of the API, with its fields, for whoever writes a program."""
    needing(request, PEOPLE | {Role.ADMINISTRATOR})
    described = describe(request.app)
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            told = {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("description") or operation.get("summary", ""),
                "parameters": [one | {"told": _type(one["schema"])} for one in operation.get("parameters", ())],
                "fields": _fields(described, _schema(operation.get("requestBody", {}))),
                "answer": _type(_schema(operation["responses"].get("200") or operation["responses"].get("201") or {})),
            }
            groups.setdefault(operation.get("tags", ["Lab"])[0], []).append(told)
    return page(request, "api.html", {"groups": groups, "description": described["info"]["description"]})


def _schema(spoken: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a body or an answer in JSON."""
    found: Mapping[str, Any] = spoken.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _fields(described: Mapping[str, Any], schema: Mapping[str, Any], before: str = "") -> list[dict[str, Any]]:
    """Return the fields of a body, those of its details among them, one a row."""
    schema = _resolved(described, schema)
    rows: list[dict[str, Any]] = []
    for name, one in schema.get("properties", {}).items():
        is_required = name in schema.get("required", ())
        about = one.get("description", "")
        rows.append({"name": before + name, "told": _type(one), "is_required": is_required, "about": about})
        if not before and name == "details":
            rows += _fields(described, one, "details.")
    return rows


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", ""))
    found: Mapping[str, Any] = described["components"]["schemas"][name.removeprefix(_REF)] if name else schema
    return found


def _type(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF).split("_")[0]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    bounds = "" if low is None and high is None else f" {'' if low is None else low}..{'' if high is None else high}"
    length = f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    return kind + bounds + length
