"""Errors of tokens, credentials, rights, users, roles and profiles."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "security.token.invalid": Entry(
        0x07010001,
        401,
        "The token is not valid: forged, revoked, or from another router. Log in again.",
    ),
    "security.token.unknown_user": Entry(
        0x07010002, 500, "No token was made: there is no such user."
    ),
    "security.token.unknown_connection": Entry(
        0x07010003, 500, "No token was made: the connection is gone."
    ),
    "security.token.ttl_exceeded": Entry(
        0x07010004, 400, '"expiresIn" is longer than the settings allow.'
    ),
    "security.token.generation_failed": Entry(0x07010005, 500, "No token could be made: %s"),
    "security.token.expired": Entry(0x07010006, 401, "Token expired"),
    "security.token.verification_error": Entry(
        0x07010007, 500, "The token could not be checked: %s"
    ),
    "security.token.refresh_forbidden": Entry(0x07010008, 401, "%s can't be refreshed."),
    "security.token.invalid_expiration": Entry(
        0x07010009, 400, "A token can't expire like this: %s"
    ),
    "security.credentials.unknown_strategy": Entry(
        0x07020001, 400, 'There is no login strategy "%s".'
    ),
    "security.credentials.database_inconsistency": Entry(
        0x07020002,
        500,
        "The store contradicts itself: there are credentials of %s, who is not a user.",
    ),
    "security.credentials.rejected": Entry(
        0x07020003, 400, "The credentials were not accepted: %s"
    ),
    "security.rights.unauthorized": Entry(
        0x07030001, 401, 'Log in first: "%s:%s" is not open to anonymous users.'
    ),
    "security.rights.forbidden": Entry(
        0x07030002, 403, '"%s:%s" is not among the rights of the user "%s".'
    ),
    "security.rights.failsafe_mode_admin_only": Entry(
        0x07030003, 403, 'In failsafe mode only administrators (profile "admin") are served.'
    ),
    "security.user.already_exists": Entry(0x07040001, 412, "There is a user %s already."),
    "security.user.not_found": Entry(0x07040002, 404, 'There is no user "%s".'),
    "security.user.anonymous_profile_required": Entry(
        0x07040003, 400, "The anonymous user keeps the anonymous profile."
    ),
    "security.user.cannot_hydrate": Entry(
        0x07040004, 500, 'The user "%s" has profiles that do not exist.'
    ),
    "security.user.uninitialized": Entry(
        0x07040005, 500, 'The profiles of the user "%s" were asked for before they were loaded.'
    ),
    "security.user.prevent_overwrite": Entry(
        0x07040006, 400, "Users that exist are not overwritten."
    ),
    "security.user.no_profile": Entry(
        0x07040007, 500, 'The user "%s" has no profile, and so no rights.'
    ),
    "security.role.not_found": Entry(0x07050001, 404, 'There is no role "%s".'),
    "security.role.login_required": Entry(
        0x07050002, 400, 'The anonymous role keeps "login", or nobody could ever log in.'
    ),
    "security.role.cannot_delete": Entry(
        0x07050003, 400, "The roles anonymous, default and admin can't be deleted."
    ),
    "security.role.in_use": Entry(
        0x07050004, 412, 'The role "%s" is part of a profile; take it out there before deleting it.'
    ),
    "security.role.uninitialized": Entry(
        0x07050005, 500, 'The rights of the role "%s" were asked for before they were loaded.'
    ),
    "security.role.invalid_rights": Entry(
        0x07050006, 400, 'The role "%s" can\'t be understood at "%s": %s'
    ),
    "security.role.closure_exec_failed": Entry(
        0x07050007, 400, "The rule for [%s, %s] can't be used: %s"
    ),
    "security.role.closure_missing_test": Entry(
        0x07050008, 400, 'The role %s has a rule without a usable "test" (%s): %s'
    ),
    "security.role.unknown_controller": Entry(
        0x07050009, 400, "The role %s names the controller '%s', which does not exist. %s"
    ),
    "security.role.unknown_action": Entry(
        0x0705000A,
        400,
        "The role %s names the action '%s', which the controller '%s' does not have. %s",
    ),
    "security.profile.not_found": Entry(0x07060001, 404, 'There is no profile "%s".'),
    "security.profile.cannot_delete": Entry(
        0x07060002, 400, "The profiles anonymous, default and admin can't be deleted."
    ),
    "security.profile.in_use": Entry(
        0x07060003, 412, 'The profile "%s" is held by users; take it from them before deleting it.'
    ),
    "security.profile.cannot_hydrate": Entry(
        0x07060004, 500, 'The profile "%s" names roles that do not exist.'
    ),
    "security.profile.missing_anonymous_role": Entry(
        0x07060005, 400, "The anonymous profile keeps the anonymous role."
    ),
    "security.profile.uninitialized": Entry(
        0x07060006, 500, 'The roles of the profile "%s" were asked for before they were loaded.'
    ),
    "security.cookie.invalid": Entry(0x07070001, 401, "The cookie holds no usable token."),
    "security.cookie.unsupported": Entry(0x07070002, 500, "Logins by cookie are not available."),
}
