"""A FHIR terminology service as a Flask plugin.

``Terminology`` is the Flask extension and the function API in one object; ``create_app`` makes an app for WSGI
servers. Everything else is reached through them. Both are imported when they are asked for: the pytest plugin lies in
this package, and costs nothing where no test uses it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from terminology.service import Terminology, create_app

__version__ = "0.1.0"
__all__ = ["Terminology", "__version__", "create_app"]


def __getattr__(name: str) -> Any:
    if name in ("Terminology", "create_app"):
        from terminology import service  # noqa: PLC0415

        return getattr(service, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
