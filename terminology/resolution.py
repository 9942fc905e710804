"""What the names in a value set stand for, under the version rules of the request: code systems, imports, supplements.

``prepare`` walks a value set once before work begins, so that a broken definition is refused whatever was asked.
"""

from __future__ import annotations

from dataclasses import replace

from terminology import validity, versions
from terminology.catalog import Scope, names
from terminology.conceptset import leaves
from terminology.frozen import dataclass
from terminology.issues import (
    Invalid,
    NotFound,
    NotSupported,
    Refusal,
    TooCostly,
    Unprocessable,
    issue,
    missing_supplements,
    versions_list,
)
from terminology.locked import settled
from terminology.model import (
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Import,
    Issue,
    Query,
    Select,
    ValueSet,
    ValueSetInfo,
)
from terminology.versions import Rule


@dataclass(frozen=True, slots=True)
class Edition:
    """The code system that answers for a select: its provider (None: unknown), the version asked for, the rule that
    chose it, and what there is to say."""

    provider: CodeSystemProvider | None
    wanted: str | None
    rule: Rule | None = None
    issues: tuple[Issue, ...] = ()
    unknown: tuple[str, ...] = ()
    others: tuple[CodeSystemProvider, ...] = ()
    """Further releases that a partial date touches."""

    @property
    def named(self) -> bool:
        """True when a version was named; else date or order chose the edition."""
        return validity.named(self.wanted)

    @property
    def canonical(self) -> Canonical | None:
        return self.provider.info.canonical if self.provider else None


def edition(select: Select, scope: Scope, stated: str | None = None) -> Edition:
    """The edition for an include, judged against the version ``stated`` in a coding."""
    url = select.system.url
    choice = scope.versions.choose(url, select.system.version)
    wanted, found = choice.version, list[Issue]()
    unknown: tuple[str, ...] = ()
    if stated:
        wanted = _narrowed(wanted, stated, scope.catalog.versions_of(url))
        found, unknown = _mismatch(select, wanted, stated, scope)
    provider = scope.provider(url, wanted)
    if provider is None:
        if f"{url}|{wanted}" not in unknown:
            missing = unknown_system(url, wanted, scope)
            found.append(missing.at("system"))
            unknown = (*unknown, unknown_name(url, wanted, scope))
    else:
        found += refused_version(provider.info, scope)
    others = validity.others(provider, scope, wanted) if provider is not None else ()
    return Edition(provider, wanted, choice.rule, tuple(found), unknown, tuple(others))


def _narrowed(wanted: str | None, stated: str, known: list[str]) -> str | None:
    """The version to ask for, given what the coding states: the coding may say more than the include."""
    if wanted and wanted != stated and versions.more_detailed(wanted, stated):
        return stated
    if not wanted and any(version == stated or versions.more_detailed(stated, version) for version in known):
        return stated
    return wanted


def _mismatch(select: Select, wanted: str | None, stated: str, scope: Scope) -> tuple[list[Issue], tuple[str, ...]]:
    url, include = select.system.url, select.system.version
    provider = scope.code_system(url, wanted)
    if provider is None:
        if wanted == stated or wanted is None:
            return [], ()
        return [issue("VALUESET_VALUE_MISMATCH", url, wanted, stated, at="version")], ()
    held = provider.info.canonical.version
    if held == stated or versions.more_detailed(stated, held):
        return [], ()
    if not wanted:
        severity = "error" if provider.info.version_needed else None
        said = issue("VALUESET_VALUE_MISMATCH_DEFAULT", url, held or "", stated, at="version", severity=severity)
    elif wanted != include:
        said = issue("VALUESET_VALUE_MISMATCH_CHANGED", url, wanted, include or "", stated, at="version")
    else:
        said = issue("VALUESET_VALUE_MISMATCH", url, include or "", stated, at="version")
    if scope.catalog.code_system(url, stated) is not None:
        return [said], ()
    return [said, unknown_system(url, stated, scope).at("system")], (f"{url}|{stated}",)


def unknown_system(url: str, version: str | None, scope: Scope) -> Issue:
    """The issue for a code system (version) that is not here, with the versions that are."""
    ending = "_EXP" if scope.expanding else ""
    if not version:
        return issue(f"UNKNOWN_CODESYSTEM{ending}", url)
    known = scope.catalog.versions_of(url)
    if not known and scope.catalog.code_system(url) is None:
        return issue(f"UNKNOWN_CODESYSTEM_VERSION{ending}_NONE", url, version)
    return issue(f"UNKNOWN_CODESYSTEM_VERSION{ending}", url, version, versions_list(known))


def unknown_name(url: str, version: str | None, scope: Scope) -> str:
    """How an unknown system is named in ``x-unknown-system``: with its version where others are known."""
    return f"{url}|{version}" if version and scope.catalog.code_system(url) is not None else url


def refused_version(info: CodeSystemInfo, scope: Scope) -> list[Issue]:
    """The issue where a check rule forbids the version that answers."""
    url, version = info.canonical.url, info.canonical.version
    rule = scope.versions.refused_by(url, version)
    return [issue("VALUESET_VERSION_CHECK", url, version or "", rule.canonical.version)] if rule else []


# --- value sets -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Imported:
    """A value set that another one names, and the rule that chose its version."""

    value_set: ValueSet
    scope: Scope
    rule: Rule | None = None
    contained: bool = False


def imported(named: Import, owner: ValueSet, scope: Scope) -> Imported:
    """The value set behind an import; raises NotFound, or Unprocessable for a circle."""
    canonical = named.value_set
    if canonical.url.startswith("#"):
        inner = owner.contained.get(canonical.url)
        if inner is None:
            raise NotFound(_missing(canonical, scope))
        inner = settled(inner, scope, owner.locked)
        return Imported(inner, entered(inner, scope), contained=True)
    choice = scope.versions.choose(canonical.url, canonical.version)
    found = scope.catalog.value_set(canonical.url, choice.version)
    if found is None:
        raise NotFound(_missing(Canonical(canonical.url, choice.version), scope))
    found = settled(found, scope, owner.locked)
    return Imported(found, entered(found, scope), choice.rule)


def _missing(canonical: Canonical, scope: Scope) -> Issue:
    if not scope.expanding:
        return issue("Unable_to_resolve_value_Set_", canonical)
    if canonical.version:
        return issue("VS_EXP_IMPORT_UNK_PINNED", canonical.url, canonical.version)
    return issue("VS_EXP_IMPORT_UNK", canonical.url)


def entered(value_set: ValueSet, scope: Scope) -> Scope:
    """The scope inside a value set: its supplements apply, and it is on the pathway."""
    named = str(value_set.info.canonical)
    if value_set.info.canonical.url and named in scope.pathway:
        raise Unprocessable(issue("VALUESET_CIRCULAR_REFERENCE", named, ", ".join(scope.pathway)))
    if len(scope.pathway) >= scope.limits.depth:
        raise TooCostly(issue("OWN_TOO_MANY", "value sets nested in each other", scope.limits.depth, "import_depth"))
    own = tuple(s for s in value_set.supplements if s not in scope.supplements)
    pathway = (*scope.pathway, named) if value_set.info.canonical.url else scope.pathway
    return scope.but(supplements=scope.supplements + own, pathway=pathway)


def prepare(value_set: ValueSet, scope: Scope) -> Scope:
    """The scope to work in; raises Refusal for a missing import, a circle, a broken filter, a missing supplement."""
    inside = entered(value_set, scope)
    satisfied: set[str] = set()
    if not _sound(value_set, inside):
        _walk(value_set, inside, satisfied, [scope.limits.imports])
    missing = [wanted for wanted in inside.supplements if wanted not in satisfied]
    if missing:
        raise NotFound(missing_supplements(missing))
    return inside


def _sound(value_set: ValueSet, scope: Scope) -> bool:
    """True for a value set of the catalog that was walked before, where the request states nothing that matters to it:
    then nothing can be broken this time."""
    if scope.supplements or scope.on or scope.versions.rules or isinstance(value_set.concepts, Select):
        return False
    canonical, catalog = value_set.info.canonical, scope.catalog
    if catalog.value_set(canonical.url, canonical.version) is not value_set:
        return False
    key = ("sound", value_set, scope.default_supplements, scope.guests, scope.decorate, scope.limits.imports)
    return bool(catalog.remembered(key, lambda: _walked(value_set, scope)))


def _walked(value_set: ValueSet, scope: Scope) -> bool:
    _walk(value_set, scope, set(), [scope.limits.imports])
    return True


def _walk(value_set: ValueSet, scope: Scope, satisfied: set[str], budget: list[int]) -> None:
    for leaf in leaves(value_set.concepts):
        budget[0] -= 1
        if budget[0] < 0:
            raise TooCostly(issue("OWN_TOO_MANY", "parts of value sets", scope.limits.imports, "import_limit"))
        if isinstance(leaf, Import):
            inner = imported(leaf, value_set, scope)
            _walk(inner.value_set, inner.scope, satisfied, budget)
        else:
            _check(leaf, value_set.info, scope, satisfied)


def _check(select: Select, info: ValueSetInfo, scope: Scope, satisfied: set[str]) -> None:
    if not (scope.supplements or select.supplements or select.query.filters):
        return
    choice = scope.versions.choose(select.system.url, select.system.version)
    base = scope.code_system(select.system.url, choice.version)
    if base is None:
        return
    applying = scope.applying(base)
    satisfied.update(w for w in scope.supplements if any(names([w], s.info.canonical) for s in applying))
    for wanted in select.supplements:
        if not any(names([wanted], s.info.canonical) for s in scope.catalog.all_supplements()):
            raise NotFound(missing_supplements([wanted]))
    if select.query.filters:
        _understood(select, info, scope.supplemented(base))


def _understood(select: Select, info: ValueSetInfo, provider: CodeSystemProvider) -> None:
    try:
        provider.select(Query(filters=select.query.filters, codes=()))
    except NotSupported as refused:
        said = tuple(_in_value_set(found, info) for found in refused.issues)
        raise Invalid(*said) from None
    except Refusal as refused:
        raise Invalid(*refused.issues) from None


def _in_value_set(found: Issue, info: ValueSetInfo) -> Issue:
    if found.message_id != "FILTER_NOT_UNDERSTOOD":
        return found
    arguments = (*found.arguments[:3], str(info), *found.arguments[4:])
    return replace(found, arguments=arguments)


# --- the standing of content ------------------------------------------------------------------------------------


def standing(info: CodeSystemInfo | ValueSetInfo, referrer: ValueSetInfo | None) -> str | None:
    """What to warn of when content is referred to: ``deprecated``, ``withdrawn``, ``retired``, ``experimental``,
    ``draft`` or None. What the referring value set is itself is not worth a warning."""
    if info.standards_status in ("deprecated", "withdrawn"):
        return info.standards_status
    if info.status == "retired":
        return "retired"
    if referrer is None or info is referrer:
        return None
    if info.experimental:
        return None if referrer.experimental else "experimental"
    draft = "draft" in (info.status, info.standards_status)
    return "draft" if draft and "draft" not in (referrer.status, referrer.standards_status) else None
