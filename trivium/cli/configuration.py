"""`trivium config`: the settings in force, and whether they can be used."""

from __future__ import annotations

import os
from pathlib import Path

from router.settings import BadSettingError, Settings, load, render
from trivium.cli.serve import DEFAULT_CONFIG


class ConfigurationError(Exception):
    """Settings that can't be used; the message is one line that names the one."""


def shown(config: Path | None) -> str:
    """A settings file that says what is in force; it can't be used where it hides a secret.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    return render(_read(config)[0].without_secrets())


def checked(config: Path | None) -> str:
    """One line that says that the settings can be used, and where they are from.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    _, source = _read(config)
    return f"{source}: every setting can be used"


def _read(config: Path | None) -> tuple[Settings, str]:
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, os.environ, {})
    except (BadSettingError, OSError) as error:
        raise ConfigurationError(str(error)) from error
    return settings, "environment and defaults" if config is None else str(config)
