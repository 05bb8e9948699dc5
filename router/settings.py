"""The settings of one start: from a file, then the environment, then flags."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from router.section import HIDDEN, Section, without_userinfo
from router.sections.access import AccessSettings, AuditSettings, LoginSettings
from router.sections.listening import (
    FrameSettings,
    HttpSettings,
    LimitSettings,
    ServerSettings,
    TlsSettings,
    WebSocketSettings,
)
from router.sections.mqtt import MqttSessionSettings, MqttSettings, TwinSettings
from router.sections.storage import (
    DeviceManagerSettings,
    DocumentSettings,
    OpenSearchSettings,
    ScrollSettings,
    StorageSettings,
)
from router.sections.telling import DumpSettings, LogSettings, RealtimeSettings, StatisticsSettings
from router.sources import BadSettingError, Given, from_environment, from_file, from_flags, meant

__all__ = [
    "AccessSettings",
    "AuditSettings",
    "BadSettingError",
    "DeviceManagerSettings",
    "DocumentSettings",
    "DumpSettings",
    "FrameSettings",
    "HttpSettings",
    "LimitSettings",
    "LogSettings",
    "LoginSettings",
    "MqttSessionSettings",
    "MqttSettings",
    "OpenSearchSettings",
    "RealtimeSettings",
    "ScrollSettings",
    "Section",
    "ServerSettings",
    "Settings",
    "StatisticsSettings",
    "StorageSettings",
    "TlsSettings",
    "TwinSettings",
    "WebSocketSettings",
    "load",
    "render",
]


class Settings(Section):
    """All settings of one router."""

    server: ServerSettings = ServerSettings.of_checked({})
    tls: TlsSettings = TlsSettings.of_checked({})
    frame: FrameSettings = FrameSettings.of_checked({})
    limits: LimitSettings = LimitSettings.of_checked({})
    logins: LoginSettings = LoginSettings.of_checked({})
    access: AccessSettings = AccessSettings.of_checked({})
    http: HttpSettings = HttpSettings.of_checked({})
    websocket: WebSocketSettings = WebSocketSettings.of_checked({})
    mqtt: MqttSettings = MqttSettings.of_checked({})
    mqtt_sessions: MqttSessionSettings = MqttSessionSettings.of_checked({})
    twins: TwinSettings = TwinSettings.of_checked({})
    storage: StorageSettings = StorageSettings.of_checked({})
    opensearch: OpenSearchSettings = OpenSearchSettings.of_checked({})
    log: LogSettings = LogSettings.of_checked({})
    documents: DocumentSettings = DocumentSettings.of_checked({})
    scrolls: ScrollSettings = ScrollSettings.of_checked({})
    device_manager: DeviceManagerSettings = DeviceManagerSettings.of_checked({})
    realtime: RealtimeSettings = RealtimeSettings.of_checked({})
    audit: AuditSettings = AuditSettings.of_checked({})
    statistics: StatisticsSettings = StatisticsSettings.of_checked({})
    dump: DumpSettings = DumpSettings.of_checked({})


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """The settings of one start; a flag wins over the environment, that over the file.

    Args:
        path: A TOML file with the tables of `Settings`; None for no file.
        environ: Of its variables, those named `TRIVIUM__SECTION__KEY` are settings.
        flags: By `section.key`, such as `{"server.port": 7512}`.

    Raises:
        BadSettingError: A file, key or value that can't be used, in one line.
    """
    given = {} if path is None else from_file(path, Settings.model_fields)
    given |= from_environment(environ) | from_flags(flags)
    tables = _tables()
    chosen: dict[str, dict[str, object]] = {section: {} for section in Settings.model_fields}
    for key, value in given.items():
        if key not in tables:
            hint = meant(key, tables)
            raise BadSettingError(f"{key} ({value.source}): there is no such setting{hint}")
        section, _, name = key.partition(".")
        chosen[section][name] = _read(tables[key], key, name, value)
    checked = {
        section: type(field.default).of_checked(chosen[section])
        for section, field in Settings.model_fields.items()
    }
    return Settings.of_checked(checked)


def render(settings: Settings | None = None) -> str:
    """A settings file that says the same: every key with what it means and its default."""
    settings = settings or Settings()
    lines = [
        "# Every setting of Trivium, with its default. A value here is overruled by the",
        "# environment (TRIVIUM__SECTION__KEY, such as TRIVIUM__SERVER__PORT), and that by flags.",
    ]
    for section, field in Settings.model_fields.items():
        table: Section = getattr(settings, section)
        lines += ["", f"# {type(table).__doc__}", f"[{section}]"]
        for key, option in type(table).model_fields.items():
            description = f"{option.description} Default: {_toml(getattr(field.default, key))}."
            lines += textwrap.wrap(description, 98, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{key} = {_toml(getattr(table, key))}")
    return "\n".join(lines) + "\n"


def _tables() -> dict[str, type[Section]]:
    return {
        f"{section}.{key}": type(field.default)
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    }


def _read(table: type[Section], key: str, name: str, given: Given) -> object:
    try:
        return getattr(given.read(table, name), name)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Input should be ")
        expected = expected.removeprefix("Value error, ")
        shown = without_userinfo(str(given)) if table.model_fields[name].repr else HIDDEN
        raise BadSettingError(f"{key} = {shown} ({given.source}): expected {expected}") from None


def _toml(value: object) -> str:
    # Booleans, numbers and texts are written alike in JSON and TOML, but for the delete character.
    text = str(value) if isinstance(value, Path) else value
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
