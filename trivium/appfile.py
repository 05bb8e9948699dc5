"""The file that makes an application: found, run, and asked for its `App`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from trivium.app import App


class AppFileError(Exception):
    """A file of an application that can't be served; the message is one line for its author."""


def load_app(file: Path) -> App:
    """The application that a Python file makes: its variable `app`, or its only `App`.

    Raises:
        AppFileError: No such file, it raises when run, or it makes no application.
    """
    if not file.is_file():
        raise AppFileError(f"no such app file: {file}")
    try:
        names = vars(_run(file))
    except Exception as error:  # a boundary: whatever an application's file raises
        raise AppFileError(f"{file}{_line(error, file)}: {_describe(error)}") from error
    apps = {id(value): value for value in names.values() if isinstance(value, App)}
    chosen = names.get("app")
    if isinstance(chosen, App):
        return chosen
    if len(apps) != 1:
        raise AppFileError(f"{file} makes {len(apps)} applications; name the one to serve `app`")
    return next(iter(apps.values()))


def _run(file: Path) -> ModuleType:
    name = f"trivium_app_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    # As for a script, the modules beside the file can be imported.
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # Its dataclasses look for their module by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _line(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file.absolute():
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f":{lines[-1]}" if lines else ""


def _describe(error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}" if text else type(error).__name__
