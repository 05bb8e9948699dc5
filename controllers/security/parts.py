"""The actions on users and rights, put together."""

from __future__ import annotations

from access.register import Register
from access.securities import Securities
from controllers.cursors import Cursors
from controllers.security.all_at_once import SecuritiesController
from controllers.security.credentials import CredentialController
from controllers.security.finding import Finder
from controllers.security.mappings import MappingController
from controllers.security.own import OwnController
from controllers.security.profiles import ProfileController
from controllers.security.rights import RightsController
from controllers.security.roles import RoleController
from controllers.security.users import UserController
from router.actions import Action, ActionTable
from router.settings import Settings
from storage.contract import Storage


def actions(
    register: Register, private: Storage, settings: Settings, table: ActionTable
) -> tuple[Action, ...]:
    """Those of the controllers `security`, `auth` (without tokens) and `admin`.

    Args:
        table: Where every action will be, for questions of rights.
    """
    fetch_max = settings.documents.fetch_max
    finder = Finder(register, Cursors(private, settings.scrolls), fetch_max)
    securities = Securities(register)
    return (
        *OwnController(register, table).actions(),
        *UserController(register.users, finder).actions(),
        *ProfileController(register.profiles, finder).actions(),
        *RoleController(register.roles, finder).actions(),
        *CredentialController(register.credentials, register.users, fetch_max).actions(),
        *RightsController(register, securities, table).actions(),
        *MappingController(private).actions(),
        *SecuritiesController(securities).actions(),
    )
