"""A strict decode of JSON bodies that finds every fault of a body, not only the first."""

from __future__ import annotations

import types
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from quart import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from pipeline.errors import Fault, InvalidInput

T = TypeVar("T", bound=msgspec.Struct)


async def body_as(kind: type[T]) -> T:
    """The request's JSON body as `kind`. 415 for another content type, 400 when it is not JSON, 422 with all faults."""
    if not (request.mimetype == "application/json" or request.mimetype.endswith("+json")):
        raise UnsupportedMediaType("Send the body as application/json.")
    return decode(await request.get_data(cache=False, as_text=False, parse_form_data=False), kind)


def decode(content: bytes, kind: type[T]) -> T:
    """Strictly: no unknown fields, no coercion. Raises BadRequest (not JSON) or InvalidInput (all faults)."""
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    faults = tuple(_faults(value, kind))
    if faults:
        raise InvalidInput("The body has faults.", faults=faults)
    return msgspec.convert(value, kind)


def _faults(value: Any, kind: type[msgspec.Struct]) -> list[Fault]:
    if not isinstance(value, dict):
        return [Fault(where="body", what=f"expected an object, got {_name(value)}")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    known = ", ".join(fields)
    found = [
        Fault(where=name, what="unknown field", hint=f"known fields: {known}") for name in value if name not in fields
    ]
    for name, field in fields.items():
        if name in value:
            found += _mismatches(name, value[name], field.type)
        elif field.required:
            found.append(Fault(where=name, what="is required"))
    return found


def _mismatches(where: str, value: Any, kind: Any) -> list[Fault]:
    """Faults of one field; a list is taken apart, so that each bad element is named."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        element = _element_type(kind)
        if element is not None and isinstance(value, list):
            return [fault for i, each in enumerate(value) for fault in _mismatches(f"{where}[{i}]", each, element)]
        return [Fault(where=where, what=_plain(str(error)))]
    return []


def _element_type(kind: Any) -> Any:
    """X of `tuple[X, ...]`, also inside a union; None for anything else."""
    options = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return next((get_args(option)[0] for option in options if get_origin(option) is tuple), None)


def _plain(message: str) -> str:
    """msgspec's message without its path, which `where` says already."""
    text = message.partition(" - at `")[0].replace("`", "")
    return text[:1].lower() + text[1:]


def _name(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
