"""The operations as commands.

A verb states what it takes by position or under a name of its own; every other parameter of its operations
becomes an option by itself. An operation that no verb states gets a command under its own name.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem

from terminology import output
from terminology.catalog import Catalog
from terminology.cli import names, options
from terminology.cli.errors import TROUBLE, Command
from terminology.cli.service import state
from terminology.frozen import dataclass
from terminology.model import Canonical, Json
from terminology.operation import Operation, Parameter
from terminology.operations import BY_NAME
from terminology.parameters import Given
from terminology.request import Exchange
from terminology.settings import TABLE
from terminology.wire.r4 import to_r4

Kind = Literal["code", "system", "value set"]
Values = Mapping[str, Any]
CONTENT = [row for row in TABLE if row.group == "Content"]
INTEGERS = ("integer", "positiveInt", "unsignedInt")
ELSEWHERE = ("validate",)
"""Operations whose commands are no calls of one operation: files are validated, of any type."""
SAID_OTHERWISE = ("result", "message")
"""What a table need not repeat below a verdict and above the issues."""


@dataclass(frozen=True, slots=True)
class Own:
    """An argument (``SYSTEM``) or option (``--system``) of a verb, and the parameters that it fills."""

    name: str
    kind: Kind
    parameter: str
    version: str | None = None

    @property
    def key(self) -> str:
        """Its key among the values of the command."""
        return "own_" + self.name.strip("-").lower().replace("-", "_")


@dataclass(frozen=True, slots=True)
class Way:
    """An operation that a verb may call, and what the verb's own arguments become there."""

    operation: tuple[str | None, str]
    own: tuple[Own, ...] = ()


@dataclass(frozen=True, slots=True)
class Verb:
    """A command. The first way that has a place for everything given is taken."""

    name: str
    ways: tuple[Way, ...]
    about: str | None = None

    @property
    def own(self) -> tuple[Own, ...]:
        """The verb's own arguments, each name once."""
        return tuple({own.name: own for way in self.ways for own in way.own}.values())

    def operations(self) -> list[Operation]:
        return [BY_NAME[way.operation] for way in self.ways]


_SYSTEM = Own("SYSTEM", "system", "system", "version")
STATED = (
    Verb("lookup", (Way(("CodeSystem", "lookup"), (_SYSTEM, Own("CODE", "code", "code"))),)),
    Verb(
        "validate-code",
        (
            Way(
                ("CodeSystem", "validate-code"),
                (Own("CODE", "code", "code"), Own("--system", "system", "url", "version")),
            ),
            Way(
                ("ValueSet", "validate-code"),
                (
                    Own("CODE", "code", "code"),
                    Own("--system", "system", "system", "systemVersion"),
                    Own("--value-set", "value set", "url", "valueSetVersion"),
                ),
            ),
        ),
        "Is a code right: in its code system, and with --value-set in that value set.",
    ),
    Verb("expand", (Way(("ValueSet", "expand"), (Own("VALUE_SET", "value set", "url", "valueSetVersion"),)),)),
    Verb(
        "subsumes",
        (Way(("CodeSystem", "subsumes"), (_SYSTEM, Own("A", "code", "codeA"), Own("B", "code", "codeB"))),),
    ),
    Verb("translate", (Way(("ConceptMap", "translate"), (_SYSTEM, Own("CODE", "code", "sourceCode"))),)),
)


@cache
def verbs() -> Mapping[str, Verb]:
    """All verbs by name: the stated ones, then one for each further operation that is answered at once."""
    stated = {way.operation for verb in STATED for way in verb.ways}
    further = [
        key
        for key, operation in BY_NAME.items()
        if key not in stated and key[1] not in ELSEWHERE and not operation.later
    ]
    names_used = Counter([verb.name for verb in STATED] + [name for _, name in further])
    found = {verb.name: verb for verb in STATED}
    for resource, name in further:
        full = name if names_used[name] == 1 else f"{_kebab(resource or 'system')}-{name}"
        found[full] = Verb(full, (Way((resource, name)),))
    return found


def command(verb: Verb) -> click.Command:
    """The click command of a verb."""
    shared = [*_fhir(), *options.of_output(), *options.of_settings(CONTENT)]
    own = [_own(verb, each) for each in verb.own]
    taken = {name for param in (*own, *shared) for name in (*param.opts, *param.secondary_opts)}
    generated = [_option(parameter) for parameter in _generated(verb, taken | {"--help"})]
    first = verb.operations()[0]

    @click.pass_context
    def run(ctx: click.Context, /, **values: Any) -> int:
        return _run(ctx, verb, values)

    return Command(
        name=verb.name,
        callback=run,
        params=[*own, *generated, *shared],
        help=verb.about or first.summary,
        epilog="Definition: " + ", ".join(operation.specification for operation in verb.operations()),
    )


# --- parameters of the command ----------------------------------------------------------------------------


def _own(verb: Verb, own: Own) -> click.Parameter:
    if not own.name.startswith("--"):
        metavar = own.name
        return click.Argument([own.key], metavar=metavar, shell_complete=_completing(verb, own))
    what = {"system": "Code system", "value set": "Value set", "code": "Code"}[own.kind]
    hint = f"{what}: url, name, id or the last part of the url; with |version where it matters."
    return click.Option([own.name, own.key], metavar="NAME", help=hint, shell_complete=_completing(verb, own))


def _generated(verb: Verb, taken: set[str]) -> Iterator[Parameter]:
    """An option for every parameter that is not the verb's own and can be written on a command line.

    What an own argument can say (the version in ``cpt|2011``) and what is ignored come last, if their flag is free.
    """
    later, seen = [], set(taken)
    for way, operation in zip(verb.ways, verb.operations(), strict=True):
        own, versions = {each.parameter for each in way.own}, {each.version for each in way.own}
        for parameter in operation.inputs:
            if parameter.name in own or parameter.type == "part":
                continue
            if parameter.name in versions or parameter.ignored:
                later.append(parameter)
            elif flag(parameter) not in seen:
                seen.add(flag(parameter))
                yield parameter
    for parameter in later:
        if flag(parameter) not in seen:
            seen.add(flag(parameter))
            yield parameter


def flag(parameter: Parameter) -> str:
    """The option of a parameter: ``displayLanguage`` is ``--display-language``."""
    return "--" + _kebab(parameter.name)


def _option(parameter: Parameter) -> click.Option:
    name = flag(parameter)
    about: dict[str, Any] = {
        "help": parameter.summary,
        "multiple": parameter.repeats,
        "hidden": bool(parameter.ignored),
    }
    if parameter.repeats and "repeat" not in parameter.summary:
        about["help"] += " May be repeated."
    if parameter.type == "boolean":
        return click.Option([f"{name}/--no-{name[2:]}", _key(parameter)], **{**about, "multiple": False}, default=None)
    if _complex(parameter):
        file = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
        return click.Option([name, _key(parameter)], type=file, metavar="FILE", **about)
    kind = click.IntRange(min=0) if parameter.type in INTEGERS else click.STRING
    return click.Option([name, _key(parameter)], type=kind, metavar=parameter.type.upper(), **about)


def _fhir() -> list[click.Option]:
    versions = click.Choice(["r4", "r5"], case_sensitive=False)
    summary = "FHIR version of JSON and of the files that are read."
    return [click.Option(["--fhir"], type=versions, default="r5", show_default=True, help=summary)]


def _complex(parameter: Parameter) -> bool:
    return parameter.type[0].isupper() or parameter.type == "resource"


def _key(parameter: Parameter) -> str:
    return "in_" + re.sub(r"\W", "_", parameter.name)


def _kebab(name: str) -> str:
    """``displayLanguage`` → ``display-language``, ``_since`` → ``since``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"-\1", name).lower().strip("_").replace("_", "-")


# --- running ----------------------------------------------------------------------------------------------


def _run(ctx: click.Context, verb: Verb, values: Values) -> int:
    """Answers the command; the exit code. Refusals go up."""
    held = state(ctx, values)
    way = _way(verb, values)
    operation = BY_NAME[way.operation]
    fhir: Literal["R4", "R5"] = "R4" if values["fhir"] == "r4" else "R5"
    given = [*_from_own(way, values, held.catalog(fhir)), *_from_options(operation, values)]
    if _infers(operation, given):
        given.append(Given("inferSystem", True))
    level = (operation.levels.get(fhir) or ("type",))[0]
    request = held.request(operation, given, Exchange(fhir=fhir, level=level, strict=True))
    outcome = operation.run(request)
    answer = operation.respond(outcome, request)
    return _shown(outcome, answer, fhir, options.Printer.of(values))


def _infers(operation: Operation, given: Sequence[Given]) -> bool:
    """A person who judges a bare code by a value set alone means the system that the value set has it from."""
    sent = {each.name for each in given}
    wanted = (operation.resource, operation.name) == ("ValueSet", "validate-code")
    return wanted and sent.isdisjoint(("system", "inferSystem", "coding", "codeableConcept"))


def _way(verb: Verb, values: Values) -> Way:
    """The first way that has a place for everything given."""
    own = [each.name for each in verb.own if values.get(each.key) is not None]
    stated = [key for key, value in values.items() if key.startswith("in_") and value not in (None, ())]
    for way in verb.ways:
        known = {_key(parameter) for parameter in BY_NAME[way.operation].inputs}
        if set(own) <= {each.name for each in way.own} and set(stated) <= known:
            return way
    named = ", ".join([*own, *("--" + _kebab(key[3:]) for key in stated)])
    raise click.UsageError(f"{verb.name}: these do not go together: {named}")


def _from_own(way: Way, values: Values, catalog: Catalog) -> Iterator[Given]:
    for own in way.own:
        text = values.get(own.key)
        if text is None:
            continue
        if own.kind == "code":
            yield Given(own.parameter, text)
            continue
        canonical = _named(own, text, catalog)
        yield Given(own.parameter, canonical.url)
        if canonical.version and own.version:
            yield Given(own.version, canonical.version)


def _named(own: Own, text: str, catalog: Catalog) -> Canonical:
    """The canonical that a person meant; raises click's UsageError with the candidates."""
    find = names.code_system if own.kind == "system" else names.value_set
    found = find(catalog, text)
    if found.canonical is not None:
        return found.canonical
    kind = "code-system" if own.kind == "system" else "value-set"
    several = "\n  ".join(("", *found.candidates))
    if found.ambiguous:
        raise click.UsageError(f"{own.name}: '{text}' names more than one {kind}. Write one of:{several}")
    hint = f" Did you mean:{several}" if found.candidates else f" `terminology list {kind}s` shows what is here."
    raise click.UsageError(f"{own.name}: there is no {kind} called '{text}'.{hint}")


def _from_options(operation: Operation, values: Values) -> Iterator[Given]:
    for parameter in operation.inputs:
        value = values.get(_key(parameter))
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None:
                yield Given(parameter.name, _from_file(each) if isinstance(each, Path) else each)


def _from_file(file: Path) -> Json:
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            resource: Json = json.load(opened)
    except (OSError, ValueError) as wrong:
        raise click.UsageError(f"{file} cannot be read as JSON: {wrong}") from None
    return resource


# --- printing ---------------------------------------------------------------------------------------------


def _shown(outcome: Any, answer: Json, fhir: str, printer: options.Printer) -> int:
    result = next((output.value_of(p) for p in answer.get("parameter", ()) if p.get("name") == "result"), True)
    judged = getattr(outcome, "judged", True)
    verdict = _verdict(outcome, result=bool(result), judged=judged)
    if printer.as_json:
        printer.json(to_r4(answer) if fhir == "R4" else answer)
        if verdict:
            printer.note(verdict[0])
    else:
        if verdict:
            printer.line(*verdict)
        printer.tables(output.tables(answer, SAID_OTHERWISE if verdict else ()))
    return 0 if result and judged else 1


def _verdict(outcome: Any, *, result: bool, judged: bool) -> tuple[str, str] | None:
    """What a validation says in a word, and its colour."""
    if not hasattr(outcome, "judged"):
        return None
    if not judged and not outcome.refuted:
        return "cannot be judged", "yellow"
    return ("valid", "green") if result else ("not valid", "red")


# --- completion -------------------------------------------------------------------------------------------


def _completing(verb: Verb, own: Own) -> Any:
    def complete(ctx: click.Context, _: click.Parameter, begun: str) -> Sequence[CompletionItem]:
        try:
            catalog = state(ctx, ctx.params).catalog("R5")
        except TROUBLE:
            return []
        if own.kind == "system":
            return [CompletionItem(text) for text in names.code_system_candidates(catalog, begun)]
        if own.kind == "value set":
            return [CompletionItem(text) for text in names.value_set_candidates(catalog, begun)]
        system = next((ctx.params.get(each.key) for each in verb.own if each.kind == "system"), None)
        return [CompletionItem(code, help=label) for code, label in _codes(catalog, system, begun)]

    return complete


def _codes(catalog: Catalog, system: str | None, begun: str) -> list[tuple[str, str | None]]:
    canonical = names.code_system(catalog, system).canonical if system else None
    provider = catalog.code_system(canonical.url, canonical.version) if canonical else None
    return names.code_candidates(provider, begun) if provider else []
