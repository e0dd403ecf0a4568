"""Form fields, read strictly: one encoding, few fields, valid text. No form of ours has files, so none are parsed."""

from __future__ import annotations

from urllib.parse import parse_qsl

from quart import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

MAX_FIELDS = 50


async def fields() -> dict[str, str]:
    """The fields of the request's form; of a repeated one the last counts."""
    return dict(await pairs())


async def pairs() -> list[tuple[str, str]]:
    """The same, with every one that is repeated."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the form as application/x-www-form-urlencoded.")
    body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise BadRequest("The form is not UTF-8.") from error
    except ValueError as error:
        raise RequestEntityTooLarge(f"The form has more than {MAX_FIELDS} fields.") from error
