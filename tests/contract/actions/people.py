"""Users, profiles, roles, credentials and rights: what is asked, in order, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from router.catalogue import CATALOGUE
from tests.contract.actions.steps import MISSING, NO_BODY, NO_COLLECTION, NO_INDEX, WRONG_TYPE, Step

EMPTY = "api.assert.empty_argument"
INVALID = "api.assert.invalid_argument"
FORBIDDEN = "api.assert.forbidden_argument"
UNEXPECTED = "api.assert.unexpected_argument"
BAD_ID = "api.assert.invalid_id"
NO_STRATEGY = "security.credentials.unknown_strategy"
EXISTS = "services.storage.document_already_exists"
NO_USER = "security.user.not_found"
NO_ROLE = "security.role.not_found"
NO_PROFILE = "security.profile.not_found"
NO_SCROLL = "services.storage.unknown_scroll_id"
NO_LOGIN = "trivium.credentials.missing"

Expected = str | Callable[[Any], bool]


def ask(name: str, expected: Expected, body: Any = None, /, **arguments: Any) -> Step:
    """A step of `controller:action`; expected is an error's id, or what looks at the result."""
    controller, _, action = name.partition(":")
    payload: dict[str, Any] = {"controller": controller, "action": action, **arguments}
    if body is not None:
        payload["body"] = body
    about = f"{name} {arguments} {body}"
    if isinstance(expected, str):
        return Step(about=about, ask=payload, status=CATALOGUE[expected].status, error=expected)
    return Step(about=about, ask=payload, sees=expected)


def anything(_: Any) -> bool:
    return True


def is_(value: Any) -> Callable[[Any], bool]:
    return lambda result: bool(result == value)


def has_id(id: str) -> Callable[[Any], bool]:
    return lambda result: bool(result["_id"] == id)


def found(*ids: str) -> Callable[[Any], bool]:
    return lambda result: {hit["_id"] for hit in result["hits"]} == {*ids}


def role(**controllers: str) -> Any:
    each = {name: dict.fromkeys(names.split(), True) for name, names in controllers.items()}
    return {"controllers": {name: {"actions": actions} for name, actions in each.items()}}


READER = role(document="get search")
BOUND = {"roleId": "reader", "restrictedTo": [{"index": "lab", "collections": ["things"]}]}
POLICIES = {"policies": [BOUND]}
ADA = {
    "content": {"profileIds": ["readers"], "name": "Ada"},
    "credentials": {"local": {"username": "ada", "password": "secret"}},
}
LOGIN = {"username": "bob", "password": "secret"}

_BAD_ROLES: list[tuple[str, Any]] = [
    (NO_BODY, None),
    (MISSING, {}),
    (WRONG_TYPE, {"controllers": 5}),
    (EMPTY, {"controllers": {}}),
    ("security.role.unknown_controller", role(documents="get")),
    ("security.role.unknown_action", role(document="gett")),
]
_BAD_POLICIES: list[tuple[str, Any]] = [
    (MISSING, [{}]),
    (WRONG_TYPE, "reader"),
    (EMPTY, []),
    (UNEXPECTED, [{"roleId": "reader", "index": "lab"}]),
    ("security.profile.cannot_hydrate", [{"roleId": "nobody"}]),
    (NO_INDEX, [{"roleId": "reader", "restrictedTo": [{"index": "nowhere"}]}]),
    (
        NO_COLLECTION,
        [{"roleId": "reader", "restrictedTo": [{"index": "lab", "collections": ["nothing"]}]}],
    ),
]


def _roles() -> list[Step]:
    steps = [
        ask("security:createRole", has_id("reader"), READER, _id="reader"),
        ask("security:createRole", EXISTS, READER, _id="reader"),
        ask("security:createOrReplaceRole", has_id("reader"), READER, _id="reader", force=True),
        ask("security:updateRole", has_id("reader"), READER, _id="reader"),
        ask("security:updateRole", NO_ROLE, READER, _id="nobody"),
        ask("security:getRole", lambda r: "document" in r["_source"]["controllers"], _id="reader"),
        ask("security:mGetRoles", found("reader"), {"ids": ["reader", "nobody"]}),
        ask("security:searchRoles", lambda r: r["total"] > 10, {}),
        ask(
            "security:searchRoles",
            found("reader", "admin", "anonymous", "default"),
            {"controllers": ["document"]},
        ),
    ]
    for action in ("createRole", "createOrReplaceRole", "updateRole"):
        steps += [ask(f"security:{action}", error, bad, _id="reader") for error, bad in _BAD_ROLES]
        named = f"security:{action}"
        steps.append(ask(named, "security.role.login_required", READER, _id="anonymous"))
    return steps


def _profiles() -> list[Step]:
    policies = {"policies": [BOUND]}
    limits = {"rateLimit": 0, "messageRateLimit": 0}
    steps = [
        ask("security:createProfile", has_id("readers"), policies, _id="readers", strict=True),
        ask("security:createProfile", EXISTS, policies, _id="readers"),
        ask("security:createOrReplaceProfile", has_id("readers"), policies, _id="readers"),
        ask("security:updateProfile", has_id("readers"), limits, _id="readers"),
        ask("security:updateProfile", NO_PROFILE, policies, _id="nobody"),
        ask("security:getProfile", has_id("readers"), _id="readers"),
        ask("security:getProfileRights", lambda r: r["total"] == 2, _id="readers"),
        ask("security:mGetProfiles", found("readers"), {"ids": ["readers", "nobody"]}),
        ask("security:searchProfiles", found("readers"), {"roles": ["reader"]}),
        ask("security:searchProfiles", lambda r: "scrollId" in r, {}, size=1, scroll="5s"),
    ]
    for action in ("createProfile", "createOrReplaceProfile", "updateProfile"):
        named = f"security:{action}"
        for error, bad in _BAD_POLICIES:
            body = {"policies": bad}
            steps.append(ask(named, error, body, _id="readers", strict=True))
        limited = {**policies, "rateLimit": -1}
        steps += [
            ask(named, NO_BODY, _id="readers"),
            ask(named, INVALID, limited, _id="readers"),
            ask(named, "security.profile.missing_anonymous_role", policies, _id="anonymous"),
        ]
    return steps


def _users() -> list[Step]:
    bob = {"content": {"profileIds": ["default"]}}
    steps = [
        ask("security:createUser", has_id("ada"), ADA, _id="ada"),
        ask("security:createRestrictedUser", has_id("bob"), {"content": {}}, _id="bob"),
        ask("security:getUser", lambda r: r["_source"]["name"] == "Ada", _id="ada"),
        ask("security:mGetUsers", found("ada", "bob"), {"ids": ["ada", "bob", "nobody"]}),
        ask("security:mGetUsers", found("ada", "bob"), ids="ada,bob"),
        ask("security:updateUser", has_id("ada"), {"name": "Ada L."}, _id="ada"),
        ask("security:replaceUser", has_id("bob"), bob["content"], _id="bob"),
        ask("security:upsertUser", lambda r: r["created"], bob, _id="eve"),
        ask("security:upsertUser", lambda r: not r["created"], bob, _id="eve"),
        ask("security:refresh", is_(None), collection="users"),
        ask("security:searchUsers", found("ada", "bob", "eve"), {}),
        ask("security:searchUsers", found("ada"), {"query": {"term": {"profileIds": "readers"}}}),
        ask("security:searchUsers", lambda r: "scrollId" in r, {}, size=1, scroll="5s"),
        ask("security:getUserRights", lambda r: r["hits"][0]["index"] == "lab", _id="ada"),
        ask("security:getUserStrategies", is_({"strategies": ["local"], "total": 1}), _id="ada"),
        ask("security:mDeleteUsers", is_(["eve"]), {"ids": ["eve"]}),
    ]
    creating = (("createUser", bob["content"]), ("createRestrictedUser", {}))
    for action, content in creating:
        steps += _bad_births(f"security:{action}", content)
    steps += [
        ask("security:createRestrictedUser", FORBIDDEN, bob),
        ask("security:createUser", MISSING, {}),
        ask("security:createUser", EMPTY, {"content": {"profileIds": []}}),
        ask("security:createUser", "security.user.cannot_hydrate", _held("nobody"), _id="carl"),
    ]
    for action in ("updateUser", "replaceUser"):
        named = f"security:{action}"
        steps += [
            ask(named, NO_BODY, _id="ada"),
            ask(named, NO_USER, {"profileIds": ["default"]}, _id="nobody"),
            ask(named, EMPTY, {"profileIds": []}, _id="ada"),
            ask(named, "security.user.cannot_hydrate", {"profileIds": ["nobody"]}, _id="ada"),
        ]
    return [
        *steps,
        ask("security:upsertUser", NO_BODY, _id="ada"),
        ask("security:upsertUser", EMPTY, {"content": {"profileIds": []}}, _id="ada"),
        ask("security:upsertUser", "security.user.cannot_hydrate", _held("nobody"), _id="ada"),
    ]


def _held(profile: str) -> Any:
    return {"content": {"profileIds": [profile]}}


def _bad_births(named: str, content: Any) -> list[Step]:
    good = {"content": content}
    return [
        ask(named, NO_BODY),
        ask(named, WRONG_TYPE, {"content": 5}),
        ask(named, BAD_ID, good, _id="_ada"),
        ask(named, INVALID, good, kuid="short"),
        ask(named, "security.user.already_exists", good, _id="ada"),
        ask(named, NO_STRATEGY, {**good, "credentials": {"saml": {}}}),
        ask(named, "security.credentials.rejected", {**good, "credentials": {"local": {}}}),
    ]


def _credentials() -> list[Step]:
    of_bob = {"strategy": "local", "_id": "bob"}
    steps = [
        ask("security:hasCredentials", is_(False), **of_bob),
        ask("security:validateCredentials", is_(True), LOGIN, **of_bob),
        ask("security:createCredentials", is_({"username": "bob", "kuid": "bob"}), LOGIN, **of_bob),
        ask("security:updateCredentials", anything, {"password": "other"}, **of_bob),
        ask("security:getCredentials", is_({"username": "bob", "kuid": "bob"}), **of_bob),
        ask("security:getCredentialsById", is_({"username": "bob", "kuid": "bob"}), **of_bob),
        ask("security:hasCredentials", is_(True), **of_bob),
        ask("security:getCredentialFields", is_(["username", "password"]), strategy="local"),
        ask("security:getAllCredentialFields", is_({"local": ["username", "password"]})),
        ask("security:searchUsersByCredentials", lambda r: r["total"] == 2, {}, strategy="local"),
    ]
    for action in ("createCredentials", "validateCredentials"):
        named = f"security:{action}"
        steps += [
            ask(named, "trivium.credentials.already_exist", LOGIN, **of_bob),
            ask(named, "trivium.credentials.username_required", {"password": "x"}, **of_bob),
            ask(named, "trivium.credentials.password_required", {"username": "x"}, **of_bob),
        ]
    steps += [
        ask("security:updateCredentials", "trivium.credentials.nothing_given", {}, **of_bob),
        ask(
            "security:updateCredentials",
            "trivium.credentials.name_taken",
            {"username": "ada"},
            **of_bob,
        ),
        ask("security:deleteCredentials", is_({"acknowledged": True}), **of_bob),
        ask("security:deleteCredentials", NO_LOGIN, **of_bob),
        ask("security:getCredentials", NO_LOGIN, **of_bob),
        ask("security:getCredentialsById", NO_LOGIN, **of_bob),
        ask("security:updateCredentials", NO_LOGIN, {"password": "x"}, **of_bob),
    ]
    taken = {"username": "ada", "password": "x"}
    for action in ("createCredentials", "validateCredentials"):
        named = f"security:{action}"
        steps.append(ask(named, "trivium.credentials.name_taken", taken, **of_bob))
    for action in ("createCredentials", "validateCredentials", "updateCredentials"):
        named = f"security:{action}"
        steps.append(ask(named, NO_BODY, **of_bob))
        steps.append(ask(named, NO_USER, LOGIN, strategy="local", _id="nobody"))
    return steps


def _rights() -> list[Step]:
    get = {"controller": "document", "action": "get", "index": "lab", "collection": "things"}
    publish = {"controller": "mqtt", "action": "publish"}
    return [
        ask("security:checkRights", is_({"allowed": True}), get, userId="ada"),
        ask("security:checkRights", is_({"allowed": False}), {**get, "index": "x"}, userId="ada"),
        ask("auth:checkRights", is_({"allowed": True}), get),
        ask("auth:checkRights", is_({"allowed": True}), {**publish, "topic": "lab/1"}),
        ask("auth:checkRights", INVALID, {**publish, "topic": "lab/+"}),
        ask("security:checkRights", INVALID, {**publish, "topic": ""}, userId="ada"),
        ask("auth:checkRights", NO_BODY),
        ask("auth:checkRights", MISSING, {"controller": "document"}),
        ask("auth:checkRights", WRONG_TYPE, {"controller": 5, "action": "get"}),
        ask("security:checkRights", NO_BODY, userId="ada"),
        ask("security:checkRights", NO_USER, get, userId="nobody"),
        ask("security:refresh", INVALID, collection="tokens"),
    ]


def _mappings() -> list[Step]:
    steps: list[Step] = []
    for word in ("User", "Profile", "Role"):
        more = {"properties": {"team": {"type": "keyword"}}}
        other = {"properties": {"team": {"type": "integer"}}}
        named = f"security:update{word}Mapping"
        steps += [
            ask(named, lambda r: "team" in r["properties"], more),
            ask(f"security:get{word}Mapping", lambda r: "team" in r["mapping"]),
            ask(named, NO_BODY),
            ask(named, "services.storage.cannot_change_mapping", other),
            ask(named, "services.storage.invalid_mapping", {"propertys": {}}),
        ]
    return steps


def _searches() -> list[Step]:
    steps: list[Step] = []
    bad: list[tuple[str, Any, dict[str, Any]]] = [
        ("services.storage.invalid_search_query", {"querry": {}}, {}),
        ("services.storage.unknown_query_keyword", {"query": {"equals": {"n": 1}}}, {}),
        ("trivium.unsupported.feature", {"query": {"fuzzy": {"name": "x"}}}, {}),
        ("services.storage.get_limit_exceeded", {}, {"size": 10_001}),
        ("services.storage.invalid_query_keyword", _script(), {}),
        ("services.storage.unexpected_bad_request", {"query": {"term": 5}}, {}),
        (INVALID, {}, {"lang": "sql"}),
        (
            "api.assert.koncorde_unknown_keyword",
            {"query": {"alike": {"a": 1}}},
            {"lang": "koncorde"},
        ),
        ("api.assert.koncorde_dsl_error", {"query": {"equals": 5}}, {"lang": "koncorde"}),
        (
            "api.assert.koncorde_restricted_keyword",
            {"query": {"match": {"a": 1}}},
            {"lang": "koncorde"},
        ),
    ]
    by_name = {"strategy": "local"}
    for action in ("searchUsers", "searchProfiles", "searchRoles", "searchUsersByCredentials"):
        more = by_name if action.endswith("Credentials") else {}
        named = f"security:{action}"
        steps += [ask(named, error, body, **arguments, **more) for error, body, arguments in bad]
        if not more:
            too_great = "services.storage.scroll_duration_too_great"
            steps.append(ask(named, too_great, {}, scroll="30d"))
    for kind in ("Users", "Profiles"):
        steps.append(ask(f"security:scroll{kind}", NO_SCROLL, scrollId="nothing"))
    return steps


def _script() -> Any:
    return {"query": {"term": {"script": {"source": "1"}}}}


# Actions that only take names, and the names without which they can't be.
_NAMED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("createRole", "createOrReplaceRole", "updateRole", "getRole", "deleteRole"),
            *("createProfile", "createOrReplaceProfile", "updateProfile", "getProfile"),
            *("getProfileRights", "deleteProfile", "getUser", "updateUser", "replaceUser"),
            *("upsertUser", "deleteUser", "getUserRights", "getUserStrategies"),
        ),
        ("_id",),
    ),
    **dict.fromkeys(
        (
            *("createCredentials", "updateCredentials", "validateCredentials"),
            *("deleteCredentials", "getCredentials", "getCredentialsById", "hasCredentials"),
        ),
        ("strategy", "_id"),
    ),
    **dict.fromkeys(("getCredentialFields", "searchUsersByCredentials"), ("strategy",)),
    **dict.fromkeys(("scrollUsers", "scrollProfiles"), ("scrollId",)),
    "checkRights": ("userId",),
    "refresh": ("collection",),
}
_BODIES: dict[str, Any] = {
    "upsertUser": {"content": {}},
    "checkRights": {"controller": "document", "action": "get"},
    "searchUsersByCredentials": {},
    **dict.fromkeys(("createRole", "createOrReplaceRole", "updateRole"), READER),
    **dict.fromkeys(("createCredentials", "updateCredentials", "validateCredentials"), LOGIN),
    **dict.fromkeys(("createProfile", "createOrReplaceProfile", "updateProfile"), POLICIES),
    **dict.fromkeys(("updateUser", "replaceUser"), ADA["content"]),
}


def _names() -> list[Step]:
    steps: list[Step] = []
    given = {"strategy": "local", "_id": "ada", "userId": "ada", "collection": "users"}
    for action, names in _NAMED.items():
        named, body = f"security:{action}", _BODIES.get(action)
        whole = {name: given.get(name, "x") for name in names}
        for name in names:
            rest = {key: value for key, value in whole.items() if key != name}
            steps += [
                ask(named, MISSING, body, **rest),
                ask(named, WRONG_TYPE, body, **{**rest, name: 5}),
            ]
        if "strategy" in names:
            steps.append(ask(named, NO_STRATEGY, body, **{**whole, "strategy": "saml"}))
    for kind in ("Users", "Profiles", "Roles"):
        for verb in ("mGet", "mDelete"):
            steps += [
                ask(f"security:{verb}{kind}", MISSING, {}),
                ask(f"security:{verb}{kind}", WRONG_TYPE, {"ids": 5}),
            ]
    for action in (
        *("updateSelf", "createMyCredentials", "updateMyCredentials", "validateMyCredentials"),
        *("deleteMyCredentials", "getMyCredentials", "credentialsExist"),
    ):
        body = LOGIN if action[:6] in ("update", "create", "valida") else None
        steps.append(ask(f"auth:{action}", "security.rights.unauthorized", body, strategy="local"))
    return steps


def _leaving() -> list[Step]:
    incomplete = "services.storage.incomplete_delete"
    return [
        ask("security:deleteProfile", "security.profile.cannot_delete", _id="default"),
        ask("security:deleteProfile", "security.profile.in_use", _id="readers"),
        ask("security:deleteProfile", INVALID, _id="readers", onAssignedUsers="ask"),
        ask("security:deleteRole", "security.role.cannot_delete", _id="default"),
        ask("security:deleteRole", "security.role.in_use", _id="reader"),
        ask("security:deleteUser", is_({"_id": "ada"}), _id="ada"),
        ask("security:deleteProfile", is_({"_id": "readers"}), _id="readers"),
        ask("security:deleteRole", is_({"_id": "reader"}), _id="reader"),
        ask("security:getUser", NO_USER, _id="ada"),
        ask("security:deleteUser", NO_USER, _id="ada"),
        ask("security:getUserRights", NO_USER, _id="ada"),
        ask("security:getUserStrategies", NO_USER, _id="ada"),
        ask("security:getProfile", NO_PROFILE, _id="readers"),
        ask("security:getProfileRights", NO_PROFILE, _id="readers"),
        ask("security:deleteProfile", NO_PROFILE, _id="readers"),
        ask("security:getRole", NO_ROLE, _id="reader"),
        ask("security:deleteRole", NO_ROLE, _id="reader"),
        *(
            Step(
                about=f"nobody of {kind} is there to be deleted",
                ask={
                    "controller": "security",
                    "action": f"mDelete{kind}",
                    "body": {"ids": ["nobody"]},
                },
                status=206,
                error=incomplete,
            )
            for kind in ("Users", "Profiles", "Roles")
        ),
    ]


def _all_at_once() -> list[Step]:
    load = "admin:loadSecurities"
    given = {"roles": {"reader": READER}, "profiles": {"readers": {"policies": [BOUND]}}}
    return [
        ask(load, is_({"acknowledge": True}), {**given, "users": {"ada": ADA}}),
        ask(load, "security.user.prevent_overwrite", {"users": {"ada": ADA}}),
        ask(load, anything, {"users": {"ada": ADA}}, onExistingUsers="skip"),
        ask(load, anything, {"users": {"ada": ADA}}, onExistingUsers="overwrite"),
        ask(load, NO_BODY),
        ask(load, WRONG_TYPE, {"roles": 5}),
        ask(load, MISSING, {"users": {"eve": {}}}),
        ask(load, INVALID, {}, onExistingUsers="ask"),
        ask(load, "security.role.unknown_controller", {"roles": {"r": role(documents="get")}}),
        ask(load, "security.role.unknown_action", {"roles": {"r": role(document="gett")}}),
        ask(
            load,
            "security.profile.cannot_hydrate",
            {"profiles": {"p": {"policies": [{"roleId": "nobody"}]}}},
        ),
        ask(load, "security.user.cannot_hydrate", {"users": {"eve": _held("nobody")}}),
        ask(
            load,
            "security.credentials.rejected",
            {"users": {"eve": {**_held("default"), "credentials": {"local": {}}}}},
        ),
        ask("admin:resetSecurity", lambda r: r["deletedUsers"] >= 2),
        ask("security:searchUsers", found(), {}),
    ]


def _first_admin() -> list[Step]:
    """The very last steps: after these the anonymous user may do little."""
    named = "security:createFirstAdmin"
    login = {"local": {"username": "root", "password": "secret"}}
    good = {"content": {}, "credentials": login}
    return [
        ask(named, NO_BODY),
        ask(named, MISSING, {"content": {}}),
        ask(named, WRONG_TYPE, {**good, "content": 5}),
        ask(named, FORBIDDEN, {**good, "content": {"profileIds": []}}),
        ask(named, BAD_ID, good, _id="_root"),
        ask(named, INVALID, good, kuid="short"),
        ask(named, NO_STRATEGY, {**good, "credentials": {**login, "saml": {}}}),
        ask(named, "security.credentials.rejected", {"credentials": {"local": {"username": "x"}}}),
        ask("security:createUser", has_id("bob"), _held("default"), _id="bob"),
        ask(named, "security.user.already_exists", good, _id="bob"),
        ask(named, has_id("root"), good, _id="root"),
        ask(named, "api.process.admin_exists", good),
        ask("server:adminExists", is_({"exists": True})),
        ask("security:restrictDefaultRights", is_({"acknowledged": True})),
    ]


PEOPLE = [
    *_roles(),
    *_profiles(),
    *_users(),
    *_credentials(),
    *_rights(),
    *_mappings(),
    *_searches(),
    *_names(),
    *_leaving(),
    *_all_at_once(),
]
LAST = _first_admin()

_OF_ONES_OWN = "tests/unit/controllers/security: needs a user who is logged in"
NEEDS_A_LOGIN: dict[tuple[str, str, str], str] = {
    ("auth", action, error): _OF_ONES_OWN
    for action in (
        *("createMyCredentials", "updateMyCredentials", "validateMyCredentials", "updateSelf"),
        *("deleteMyCredentials", "getMyCredentials", "credentialsExist"),
    )
    for error in (
        *(MISSING, WRONG_TYPE, NO_BODY, FORBIDDEN, NO_STRATEGY, NO_LOGIN),
        "trivium.credentials.nothing_given",
        "trivium.credentials.name_taken",
        "trivium.credentials.already_exist",
        "trivium.credentials.username_required",
        "trivium.credentials.password_required",
    )
}
