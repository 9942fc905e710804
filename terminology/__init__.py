"""A FHIR terminology service as a Flask plugin.

``Terminology`` is the Flask extension and the function API in one object; ``create_app`` makes an app for WSGI
servers. Everything else is reached through them.
"""

from terminology.service import Terminology, create_app

__version__ = "0.1.0"
__all__ = ["Terminology", "__version__", "create_app"]
