"""What is known: code systems, value sets, maps and supplements by canonical, in immutable layers.

A catalog may lie over another one (request resources over stored over published ones): the same url and version
above hides the one below, and "latest" is taken over the union. A complete code system ranks before a fragment,
before the order of versions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from itertools import chain
from typing import Any, TypeVar

from terminology import implied, versions
from terminology.frozen import dataclass
from terminology.languages import Languages
from terminology.model import (
    Canonical,
    CodeSystemProvider,
    ConceptMap,
    Expressions,
    FhirVersion,
    Grammar,
    Json,
    Naming,
    Supplement,
    ValueSet,
)
from terminology.releases import InForce, in_force
from terminology.versions import VersionPolicy

Place = tuple[int, tuple[tuple[int, int, str], ...]]
T = TypeVar("T")
REMEMBERED = 2048
"""So many conclusions a catalog keeps."""

Supplementing = Callable[[CodeSystemProvider, tuple[Supplement, ...]], CodeSystemProvider]


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """One layer, and the layers below it. ``resources`` are what read and search return, by type and id."""

    code_systems: Mapping[str, tuple[CodeSystemProvider, ...]] = field(default_factory=dict)
    value_sets: Mapping[str, tuple[ValueSet, ...]] = field(default_factory=dict)
    concept_maps: Mapping[str, tuple[ConceptMap, ...]] = field(default_factory=dict)
    supplements: tuple[Supplement, ...] = ()
    aliases: Mapping[str, tuple[Naming, ...]] = field(default_factory=dict)
    """By another name of a code system (an OID, an old url): who states of which system it is one."""
    resources: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    heads: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """For resources that are read when asked for: what is known before (``shelves``)."""
    rules: tuple[Grammar | Expressions, ...] = ()
    """What is computed: code systems (which stand among the others too), and expressions over listed ones."""
    behind: Mapping[Canonical, int] = field(default_factory=dict)
    """What of this layer ranks behind content of other versions, though its own may be higher: how far."""
    below: Catalog | None = None
    _of: Mapping[str, tuple[Supplement, ...]] = field(init=False, repr=False, default_factory=dict)
    """The supplements of this layer by the url of what they supplement."""
    _known: dict[Hashable, Any] = field(init=False, repr=False, default_factory=dict)
    """What was worked out from this catalog and what lies below: it goes when the catalog goes."""

    def __post_init__(self) -> None:
        index: dict[str, tuple[Supplement, ...]] = {}
        for supplement in self.supplements:
            if supplement.info.supplements:
                url = supplement.info.supplements.url
                index[url] = (*index.get(url, ()), supplement)
        object.__setattr__(self, "_of", index)

    def over(self, base: Catalog) -> Catalog:
        """This layer, with ``base`` below its own lowest one."""
        return replace(self, below=self.below.over(base) if self.below else base)

    def remembered(self, key: Hashable, make: Callable[[], T | None]) -> T | None:
        """What ``make`` says, which ``key`` and this catalog decide alone. What is not there is looked for each time:
        no client fills the memory with names of nothing."""
        known: T | None = self._known.get(key)
        if known is None:
            known = make()
            if known is not None:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known

    def layers(self) -> Iterator[Catalog]:
        layer: Catalog | None = self
        while layer is not None:
            yield layer
            layer = layer.below

    # --- code systems ------------------------------------------------------------------------------------

    def editions(self, url: str) -> list[CodeSystemProvider]:
        """All versions of a code system, any content but supplements, best first."""
        return sorted(self._held(url).values(), key=self._rank, reverse=True)

    def _held(self, url: str) -> dict[str | None, CodeSystemProvider]:
        held: dict[str | None, CodeSystemProvider] = {}
        for layer in self.layers():
            for provider in layer.code_systems.get(url, ()):
                held.setdefault(provider.info.canonical.version, provider)
        return held

    def code_system(self, url: str, version: str | None = None) -> CodeSystemProvider | None:
        """The best edition that ``version`` names and that can answer; None where there is none."""
        return self.remembered(("code system", url, version), lambda: self._code_system(url, version))

    def _code_system(self, url: str, version: str | None) -> CodeSystemProvider | None:
        fitting = [
            provider
            for provider in self._held(url).values()
            if provider.info.answers and versions.matches(version, provider.info.canonical.version)
        ]
        return max(fitting, key=self._rank, default=None)

    def _rank(self, provider: CodeSystemProvider) -> tuple[bool, bool, Place]:
        info = provider.info
        return (info.answers, info.content == "complete", self._place(info.canonical))

    def _place(self, canonical: Canonical) -> Place:
        """Where a version stands among those of its url."""
        behind = max((layer.behind.get(canonical, 0) for layer in self.layers() if layer.behind), default=0)
        return -behind, versions.order(canonical.version)

    def expressed(self, provider: CodeSystemProvider) -> CodeSystemProvider:
        """The code system with the expressions over its codes, where a grammar for these is known."""
        url = provider.info.canonical.url
        rules = (rule for layer in self.layers() for rule in layer.rules if isinstance(rule, Expressions))
        known = next((rule for rule in rules if rule.system == url), None)
        return known.over(provider) if known else provider

    def versions_of(self, url: str) -> list[str]:
        """The versions of a code system that can answer, in order."""
        return list(self.remembered(("versions", url), lambda: self._versions_of(url) or None) or ())

    def _versions_of(self, url: str) -> list[str]:
        held = {p.info.canonical.version for p in self.editions(url) if p.info.answers}
        return sorted((version for version in held if version), key=versions.order)

    def owner(self, provider: CodeSystemProvider) -> int:
        """How deep the layer lies that a provider came from, or the one it decorates: 0 is the top; -1: of none."""
        url = provider.info.canonical.url
        while inner := getattr(provider, "base", None):
            provider = inner
        for depth, layer in enumerate(self.layers()):
            if provider in layer.code_systems.get(url, ()):
                return depth
        return -1

    # --- the others ---------------------------------------------------------------------------------------

    def value_set(self, url: str, version: str | None = None) -> ValueSet | None:
        """The highest version of a value set that ``version`` names; without a resource what the url implies."""
        return self.remembered(("value set", url, version), lambda: self._value_set(url, version))

    def _value_set(self, url: str, version: str | None) -> ValueSet | None:
        seen: dict[str | None, ValueSet] = {}
        for layer in self.layers():
            for held in layer.value_sets.get(url, ()):
                seen.setdefault(held.info.canonical.version, held)
        fitting = [v for v in seen.values() if versions.matches(version, v.info.canonical.version)]
        best = max(fitting, key=lambda v: self._place(v.info.canonical), default=None)
        return best if best or seen else implied.value_set(self._by_form(url), version, tuple(self.layers()))

    def _by_form(self, url: str) -> str:
        """``[system]?fhir_vs`` with the url of the system, where it has another name of it."""
        system, form, rest = url.partition(implied.FORM)
        return f"{self.alias(system) or system}{form}{rest}" if form else url

    def concept_map(self, url: str, version: str | None = None) -> ConceptMap | None:
        """The highest version of a map that ``version`` names."""
        fitting = [m for m in self.maps() if m.canonical.url == url and versions.matches(version, m.canonical.version)]
        return max(fitting, key=lambda m: self._place(m.canonical), default=None)

    def maps(self) -> list[ConceptMap]:
        """All maps, the hidden ones left out, upper layers first."""
        seen: dict[Canonical, ConceptMap] = {}
        for layer in self.layers():
            for held in chain.from_iterable(layer.concept_maps.values()):
                seen.setdefault(held.canonical, held)
        return list(seen.values())

    def supplements_of(self, url: str) -> list[Supplement]:
        """The supplements of a code system, the hidden ones left out, upper layers first."""
        seen: dict[Canonical, Supplement] = {}
        for layer in self.layers():
            for held in layer._of.get(url, ()):
                seen.setdefault(held.info.canonical, held)
        return list(seen.values())

    def all_supplements(self) -> list[Supplement]:
        """All supplements, the hidden ones left out, upper layers first."""
        seen: dict[Canonical, Supplement] = {}
        for layer in self.layers():
            for held in layer.supplements:
                seen.setdefault(held.info.canonical, held)
        return list(seen.values())

    def urls(self) -> set[str]:
        """The urls of all code systems."""
        return set(chain.from_iterable(layer.code_systems for layer in self.layers()))

    def all_value_sets(self) -> Iterator[ValueSet]:
        """All value sets, the hidden ones left out."""
        seen: set[Canonical] = set()
        for layer in self.layers():
            for held in chain.from_iterable(layer.value_sets.values()):
                if held.info.canonical not in seen:
                    seen.add(held.info.canonical)
                    yield held

    def namings(self, url: str) -> dict[str, Naming]:
        """Who states what ``url`` is another name of, and of which system: by the url of that system, as it is known
        here. Empty for the url of a known code system, which is nobody else's name. What is retired counts where
        nothing else is stated."""
        layers = tuple(self.layers())
        if any(url in layer.code_systems for layer in layers):
            return {}
        stated: dict[str, Naming] = {}
        for layer in layers:
            for naming in layer.aliases.get(url, ()):
                stated.setdefault(naming.by, naming)
        current = [naming for naming in stated.values() if naming.current] or stated.values()
        found: dict[str, Naming] = {}
        for naming in current:
            answering = (name for name in naming.names if self.code_system(name))
            known = (name for name in naming.names if any(name in layer.code_systems for layer in layers))
            found.setdefault(next(answering, None) or next(known, naming.names[0]), naming)
        return found

    def alias(self, url: str) -> str | None:
        """The code system url that ``url`` is another name of; None where it is none, and where that is disputed."""
        if self.remembered(("url", url), lambda: any(url in layer.code_systems for layer in self.layers()) or None):
            return None
        found = self.namings(url)
        return next(iter(found)) if len(found) == 1 else None

    def listed(self, kind: str) -> Iterator[tuple[str, Json]]:
        """Id and resource, or its head where that is all that was read, of one type; upper layers first."""
        for layer in self.layers():
            yield from (layer.heads.get(kind) or layer.resources.get(kind, {})).items()

    def find_resource(self, kind: str, identity: str) -> Json | None:
        """The resource of a type and id."""
        for layer in self.layers():
            if resource := layer.resources.get(kind, {}).get(identity):
                return resource
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Bounds of one request; every refusal names the setting."""

    expansion: int = 1000
    page: int = 10_000
    imports: int = 500
    depth: int = 32
    batch: int = 500
    resources: int = 100


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """All that is particular to one request, and nothing else is: made once, handed down, never changed."""

    catalog: Catalog
    fhir: FhirVersion = "R5"
    versions: VersionPolicy = VersionPolicy()
    languages: Languages = Languages()
    reader: Languages = Languages()
    supplements: tuple[str, ...] = ()
    default_supplements: tuple[str, ...] = ()
    date_basis: tuple[str, ...] = ()
    """What the operator says of the days that decide when records are judged, as ``system|basis``."""
    on: str | None = None
    limits: Limits = Limits()
    decorate: Supplementing | None = None
    guests: int = 0
    """How many of the upper layers came with the request: the operator's default supplements pass them by."""
    pathway: tuple[str, ...] = ()
    abstract: bool = True
    active_only: bool = False
    membership_only: bool = False
    expanding: bool = False
    """True for $expand: what cannot be resolved is then said in that operation's sentences."""

    def code_system(self, url: str, version: str | None) -> CodeSystemProvider | None:
        """The edition that answers: of the version asked for, else the one in force on the day asked about, else the
        latest (``validity`` says what it is worth on that day)."""
        if self.on and (not version or versions.wild(version)) and (found := self.in_force(url, version).providers):
            return found[0]
        return self.catalog.code_system(url, version)

    def in_force(self, url: str, version: str | None = None) -> InForce:
        """The releases (of those that ``version`` names) in force on the day asked about."""
        editions = self.catalog.editions(url) if self.on else []
        if version:
            editions = [each for each in editions if versions.matches(version, each.info.canonical.version)]
        return in_force(editions, self.on or "")

    def but(self, **changes: Any) -> Scope:
        """This scope with changes; itself where nothing changes (``dataclasses.replace`` takes twice as long)."""
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return Scope(*[changes[name] if name in changes else getattr(self, name) for name in _SCOPE])

    def provider(self, url: str, version: str | None) -> CodeSystemProvider | None:
        """The code system that answers, with the supplements that apply to it."""
        if self.supplements or self.on:
            return self._provider(url, version)
        key = ("provider", url, version, self.default_supplements, self.guests, self.decorate)
        return self.catalog.remembered(key, lambda: self._provider(url, version))

    def _provider(self, url: str, version: str | None) -> CodeSystemProvider | None:
        found = self.code_system(url, version)
        return None if found is None else self.supplemented(found)

    def supplemented(self, provider: CodeSystemProvider) -> CodeSystemProvider:
        applying = self.applying(provider)
        expressed = self.catalog.expressed(provider)
        return self.decorate(expressed, applying) if applying and self.decorate else expressed

    def applying(self, provider: CodeSystemProvider) -> tuple[Supplement, ...]:
        """The supplements that apply to a code system: named ones, language packs, the operator's defaults.

        Of the versions of one supplement the one bound to the system's version wins over one bound to none, then the
        highest version.
        """
        canonical = provider.info.canonical
        chosen: dict[str, Supplement] = {}
        for supplement in self.catalog.supplements_of(canonical.url):
            target = supplement.info.supplements
            if target is None or not self._wanted(supplement, provider):
                continue
            if not versions.matches(target.version, canonical.version):
                continue
            url = supplement.info.canonical.url
            if url not in chosen or _bound(supplement) > _bound(chosen[url]):
                chosen[url] = supplement
        return tuple(chosen.values())

    def _wanted(self, supplement: Supplement, provider: CodeSystemProvider) -> bool:
        if supplement.info.language_pack or names(self.supplements, supplement.info.canonical):
            return True
        if not names(self.default_supplements, supplement.info.canonical):
            return False
        return self.catalog.owner(provider) >= self.guests


_SCOPE = tuple(each.name for each in fields(Scope))


def names(wanted: Iterable[str], canonical: Canonical) -> bool:
    """True when one of ``wanted`` (``url`` or ``url|version``) names ``canonical``."""
    parsed = (Canonical.parse(text) for text in wanted)
    return any(w.url == canonical.url and versions.matches(w.version, canonical.version) for w in parsed)


def _bound(supplement: Supplement) -> tuple[bool, tuple[tuple[int, int, str], ...]]:
    target = supplement.info.supplements
    return (bool(target and target.version), versions.order(supplement.info.canonical.version))
