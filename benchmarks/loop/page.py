"""stub"""

from typing import Any


def write_loop_page(*a: Any) -> None: ...
