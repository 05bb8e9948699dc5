"""The actions that both forms of the asset API have, as data."""

from __future__ import annotations

from typing import Final

from controllers import arguments, searches
from controllers.device_manager.forms import Form, born_id, named_id
from router import places
from router.actions import Action, Argument, Handler

REFUSED: Final = (
    "api.assert.missing_argument",
    "api.assert.invalid_type",
    "trivium.engine.unknown",
)
"""What every action on an engine's assets can answer."""

_STORED: Final = (
    *REFUSED,
    "api.assert.body_required",
    "services.storage.strict_mapping_rejection",
    "services.storage.unexpected_bad_request",
)
_UPDATED: Final = (
    "api.assert.invalid_argument",
    "services.storage.version_conflict",
    "plugin.runtime.unexpected_error",
)
BAD_ID: Final = "api.assert.invalid_id"
UNKNOWN_MODEL: Final = "trivium.asset.unknown_model"

_WHOLE: Final = "`{_id, _version, _source}`"
_BIRTH: Final = (
    Argument("model", "string", "Name of the asset's model.", required=True, place="body"),
    Argument("reference", "string", "Unique within the model.", required=True, place="body"),
    Argument("metadata", "object", "Values for the model's metadata.", place="body"),
)


def engine_argument(form: Form) -> Argument:
    """The argument that names the engine."""
    return Argument(form.engine, "string", "The engine's index.", required=True)


def create(form: Form, handler: Handler, *, error: str, extra: tuple[Argument, ...] = ()) -> Action:
    """`create`; `error` is the one that only this form knows."""
    return Action(
        controller=form.controller,
        name="create",
        handler=handler,
        places=places.engine_assets,
        summary="Create an asset; its id is `[type-]model-reference` unless given.",
        routes=form.routes("create"),
        arguments=(engine_argument(form), arguments.REFRESH, *_BIRTH, *extra),
        body="required",
        result=_WHOLE,
        errors=(*_STORED, "services.storage.document_already_exists", error),
        aliases=form.aliases("create"),
        order_key=form.order_key(born_id),
        is_guarded=True,
    )


def delete(form: Form, handler: Handler, *, extra: tuple[Argument, ...] = ()) -> Action:
    """`delete`."""
    strict = Argument("strict", "flag", "Refuse while devices are linked to the asset.")
    return Action(
        controller=form.controller,
        name="delete",
        handler=handler,
        places=places.engine_assets,
        summary="Delete an asset.",
        routes=form.routes("delete"),
        arguments=(engine_argument(form), arguments.ID, arguments.REFRESH, strict, *extra),
        result="`{_id}`, with `source` the whole asset" if extra else "",
        errors=(*REFUSED, "services.storage.not_found", "trivium.asset.still_linked"),
        aliases=form.aliases("delete"),
        order_key=form.order_key(named_id),
        is_guarded=True,
    )


def get(form: Form, handler: Handler) -> Action:
    """`get`."""
    return Action(
        controller=form.controller,
        name="get",
        handler=handler,
        places=places.engine_assets,
        summary="Get an asset.",
        routes=form.routes("get"),
        arguments=(engine_argument(form), arguments.ID),
        result=_WHOLE,
        errors=(*REFUSED, "services.storage.not_found"),
        aliases=form.aliases("get"),
    )


def search(form: Form, handler: Handler) -> Action:
    """`search`."""
    return Action(
        controller=form.controller,
        name="search",
        handler=handler,
        places=places.engine_assets,
        summary="Find assets of an engine.",
        routes=form.routes("search"),
        arguments=(engine_argument(form), *searches.ARGUMENTS),
        body="optional",
        result="`{hits: [{_id, _score, _source, index, collection}], fetched, total}`",
        errors=(*REFUSED, *searches.ERRORS),
        aliases=form.aliases("search"),
    )


def update(
    form: Form, handler: Handler, *, body: str, extra: tuple[Argument, ...], result: str
) -> Action:
    """`update`; `body` says what the body holds."""
    return Action(
        controller=form.controller,
        name="update",
        handler=handler,
        places=places.engine_assets,
        summary="Apply partial changes to an asset. Body: " + body,
        routes=form.routes("update"),
        arguments=(
            engine_argument(form),
            arguments.ID,
            arguments.REFRESH,
            arguments.RETRIES,
            *extra,
        ),
        body="required",
        result=result,
        errors=(*_STORED, *_UPDATED, "services.storage.not_found"),
        aliases=form.aliases("update"),
        order_key=form.order_key(named_id),
        is_guarded=True,
    )


def upsert(form: Form, handler: Handler, *, error: str, extra: tuple[Argument, ...] = ()) -> Action:
    """`upsert`; `error` is the one that only this form knows."""
    return Action(
        controller=form.controller,
        name="upsert",
        handler=handler,
        places=places.engine_assets,
        summary="Create an asset, or update the one with that model and reference.",
        routes=form.routes("upsert"),
        arguments=(
            engine_argument(form),
            arguments.REFRESH,
            arguments.RETRIES,
            *_BIRTH,
            *extra,
        ),
        body="required",
        result="`{_id, _version, _source}`: the whole asset; `created` too in the singular form",
        errors=(*_STORED, *_UPDATED, error),
        aliases=form.aliases("upsert"),
        order_key=form.order_key(born_id),
        is_guarded=True,
    )
