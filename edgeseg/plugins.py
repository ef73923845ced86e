"""What a user names by ``package.module:attribute``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from edgeseg.errors import ConfigError


def import_callable(path: str, what: str, form: str, purpose: str) -> Callable[..., object]:
    """Imports what makes a network, a loss, ...

    Args:
        path: ``package.module:attribute``.
        what: What it is, for the message.
        form: How it is to be written, for the message.
        purpose: What is expected there, for the message.

    Raises:
        ConfigError: It cannot be imported, or cannot be called.
    """
    module_name, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{what} {path!r} cannot be imported ({error}); write {form} and check the Python path"
        ) from None
    if not callable(found):
        raise ConfigError(f"{what} {path!r} is a {type(found).__name__}, not {purpose}")
    return found  # type: ignore[no-any-return]
