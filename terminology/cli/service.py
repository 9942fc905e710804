"""The service that a command asks: that of the Flask app under ``flask``, else one made from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from terminology import service, serving
from terminology.cli.options import resolved, stated
from terminology.settings import Settings, Stated


def state(ctx: click.Context, values: Mapping[str, Any]) -> service.State:
    """Content and settings for a command; raises SettingsError, CannotServeError or click's UsageError."""
    app = flask_app(ctx)
    if app is None:
        return checked(Settings(**{each.setting.name: each.value for each in resolved(values)}))
    if flags := sorted(stated(values)):
        named = ", ".join("--" + name.replace("_", "-") for name in flags)
        raise click.UsageError(f"{named}: under flask the settings of the app apply. Use `terminology` instead", ctx)
    return of_app(app, ctx)


def checked(settings: Settings) -> service.State:
    """Content and settings; raises CannotServeError, and Refusal for what the content says."""
    serving.check_names()
    serving.check_content(settings)
    return service.State(settings)


def of_app(app: Any, ctx: click.Context) -> service.State:
    """What the Flask extension keeps in the app, by prefix: the service that was registered first."""
    held: Mapping[str, service.State] = app.extensions.get("terminology", {})
    if not held:
        raise click.UsageError(f"The app {app.name} has no terminology: call Terminology(app) where it is made", ctx)
    return next(iter(held.values()))


def flask_app(ctx: click.Context) -> Any:
    """The app that ``flask --app …`` named; None where the command was not started by ``flask``."""
    info = ctx.find_root().obj
    return info.load_app() if hasattr(info, "load_app") else None


def settings_of(ctx: click.Context, values: Mapping[str, Any]) -> tuple[Stated, ...]:
    """Every setting with its origin; under ``flask`` those of the app."""
    app = flask_app(ctx)
    if app is None:
        return resolved(values)
    held = of_app(app, ctx).settings
    found = resolved(values, app.config)
    actual = {each.setting.name: getattr(held, each.setting.name) for each in found}
    return tuple(
        each if each.value == actual[each.setting.name] else Stated(each.setting, actual[each.setting.name], "keyword")
        for each in found
    )
