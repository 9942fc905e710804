"""The command line: ``terminology …``, ``python -m terminology …`` and ``flask terminology …``.

Data goes to standard output, everything else to standard error. Exit codes: 0 right, 1 findings (a code that
is not valid or cannot be judged, no translation), 2 cannot (a refusal, a wrong flag, a port in use).
"""

from terminology.cli.commands import flask_group, group, main

__all__ = ["flask_group", "group", "main"]
