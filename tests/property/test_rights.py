"""Rights against a plain reading of the documentation, for drawn roles, profiles and requests."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from access import profiles, roles
from access.rights import Grant, Rights
from router.actions import Action
from router.places import engine_assets, named
from tests.support.requests import request

CONTROLLERS = ("document", "device-manager/asset", "device-manager/assets")
ACTIONS = ("get", "update")
INDEXES = ("a", "b")
COLLECTIONS = ("assets", "c")

_actions = st.dictionaries(st.sampled_from((*ACTIONS, "*")), st.booleans(), min_size=1)
_controllers = st.dictionaries(
    st.sampled_from((*CONTROLLERS, "*")), _actions.map(lambda each: {"actions": each}), min_size=1
)
_bound = st.fixed_dictionaries(
    {"index": st.sampled_from(INDEXES)},
    optional={"collections": st.lists(st.sampled_from(COLLECTIONS), max_size=2)},
)
_policy = st.fixed_dictionaries(
    {"roleId": st.sampled_from(("r0", "r1", "r2"))},
    optional={"restrictedTo": st.lists(_bound, max_size=2)},
)
_profile = st.fixed_dictionaries({"policies": st.lists(_policy, min_size=1, max_size=3)})
_arguments = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from(INDEXES),
        "collection": st.sampled_from(COLLECTIONS),
        "engineId": st.sampled_from(INDEXES),
    },
)


# -- the documentation, read aloud: "Permissions" and "Restricting roles" ------------------------


def is_permitted(role: Any, controller: str, action: str) -> bool:
    """A specific entry hides the wildcard; what isn't said isn't allowed."""
    names = [controller]
    if controller.startswith("device-manager/"):  # a right on either name counts for both
        names = ["device-manager/asset", "device-manager/assets"]
    entries = [role[name] for name in names if name in role] or [role.get("*", {"actions": {}})]
    for entry in entries:
        if action in entry["actions"]:
            if entry["actions"][action]:
                return True
        elif entry["actions"].get("*", False):
            return True
    return False


def is_within(policy: Any, index: str, collection: str | None) -> bool:
    """No restriction: everywhere. No collections: the whole index, else those alone."""
    if not policy.get("restrictedTo"):
        return True
    for bound in policy["restrictedTo"]:
        if bound["index"] == index and (
            not bound.get("collections") or collection in bound["collections"]
        ):
            return True
    return False


def is_allowed(role_of: Any, held: Any, controller: str, action: str, args: Any) -> bool:
    """One policy of one profile is enough; each place that is named needs one."""
    policies = [policy for profile in held for policy in profile["policies"]]
    able = [p for p in policies if is_permitted(role_of[p["roleId"]], controller, action)]
    if controller == "document":
        places = [(args["index"], args.get("collection"))] if "index" in args else []
    else:
        places = [(args[key], "assets") for key in ("index", "engineId") if key in args]
    if not places:
        return bool(able)
    return all(any(is_within(policy, *place) for policy in able) for place in places)


# ------------------------------------------------------------------------------------------------


def rights_of(role_of: Any, held: Any) -> Rights:
    known = {id_: roles.read(id_, {"controllers": each}) for id_, each in role_of.items()}
    policies = [policy for each in held for policy in profiles.read("p", each).policies]
    return Rights(Grant(known[policy.role_id], policy.restriction) for policy in policies)


def action_of(controller: str, name: str) -> Action:
    other = {"device-manager/asset": "assets", "device-manager/assets": "asset"}.get(controller)
    return Action(
        controller=controller,
        name=name,
        handler=None,  # type: ignore[arg-type]
        places=named if other is None else engine_assets,
        summary="",
        aliases=() if other is None else ((f"device-manager/{other}", name),),
    )


@given(
    st.fixed_dictionaries(dict.fromkeys(("r0", "r1", "r2"), _controllers)),
    st.lists(_profile, min_size=1, max_size=2),
    st.lists(st.tuples(st.sampled_from(CONTROLLERS), st.sampled_from(ACTIONS), _arguments)),
)
def test_rights_are_what_the_documentation_says(role_of, held, asked):
    rights = rights_of(role_of, held)
    for controller, action, args in [*asked, *asked]:  # twice: the second time from the cache
        declared = action_of(controller, action)
        found = rights.allows(declared, declared.places(request(**args)))
        assert found is is_allowed(role_of, held, controller, action, args), (action, args)


@given(_controllers, _profile, st.sampled_from(INDEXES), st.sampled_from(COLLECTIONS))
def test_what_is_listed_as_allowed_is_allowed(controllers, profile, index, collection):
    role_of = dict.fromkeys(("r0", "r1", "r2"), controllers)
    rights = rights_of(role_of, [profile])
    for right in rights.listed():
        names = (right["controller"], right["action"])
        place = (
            index if right["index"] == "*" else right["index"],
            collection if right["collection"] == "*" else right["collection"],
        )
        if "*" in names or names[0].startswith("device-manager"):
            continue
        assert (right["value"] == "allowed") is rights.allows(action_of(*names), [place])
