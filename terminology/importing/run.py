"""One import from its first byte to the moment it is visible: all of it, or nothing."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import UTC, datetime

from terminology import resources
from terminology.frozen import dataclass
from terminology.importing.format import Format, Kept, Loaded, Source
from terminology.importing.periods import in_force
from terminology.issues import Invalid, Refusal, issue, text
from terminology.model import CodeSystemInfo, Json
from terminology.storage.code_system_compiler import Duplicate, Telling, compile_file
from terminology.storage.library import Change, Entry, Library, Stage
from terminology.wire import json_text

LARGE = frozenset(("concept", "compose", "expansion", "group", "text", "contained"))
"""The parts of a resource that its head is without."""


@dataclass(slots=True)
class Progress:
    """How far an import has come; ``show`` is called after each step."""

    source: Source
    show: Callable[[Progress], None] = lambda _: None
    concepts: int = 0
    resources: int = 0

    @property
    def fraction(self) -> float | None:
        """The part of the source that was read; None where it cannot be said."""
        meter = self.source.meter
        return min(meter.read / meter.size, 1.0) if meter.size else None


@dataclass(frozen=True, slots=True)
class Report:
    """What an import found and changed."""

    entries: tuple[Entry, ...]
    change: Change
    concepts: int = 0
    refused: int = 0
    notes: tuple[str, ...] = field(default=())


def load(
    form: Format,
    source: Source,
    library: Library,
    *,
    dry_run: bool = False,
    show: Callable[[Progress], None] | None = None,
) -> Report:
    """Imports a source into the library; raises Refusal when there is nothing that can be loaded."""
    progress = Progress(source, show or (lambda _: None))
    if form.verified == "described":
        source.note("OWN_LAYOUT_UNVERIFIED", form.name)
    with _seldom_collected(), library.staging() as stage:
        for item in form.read(source):
            if isinstance(item, Loaded):
                _compile(form, in_force(item, source, form.period), stage, progress)
            else:
                _keep(form, item, stage, progress)
            progress.show(progress)
        entries = stage.entries
        if not entries:
            refused = "OWN_IMPORT_ALL_REFUSED" if source.refusals.total else "OWN_IMPORT_EMPTY"
            raise Invalid(issue(refused, source.path, form.name, form.summary))
        change = Change() if dry_run else stage.publish()
    return Report(entries, change, progress.concepts, source.refusals.total, tuple(text(note) for note in source.notes))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Rows by the thousand are no garbage: looking for circles among them so often is a seventh of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _compile(form: Format, item: Loaded, stage: Stage, progress: Progress) -> None:
    source, before, refused = progress.source, progress.concepts, progress.source.refusals.total

    def tell(done: int) -> None:
        progress.concepts = before + done
        progress.show(progress)

    telling = Telling(
        progress=tell,
        lacking=lambda child, parent: source.refuse(child, "OWN_ROW_PARENT", parent),
        refused=lambda: source.refusals.total - refused,
    )
    try:
        path, manifest = compile_file(
            item.info,
            item.concepts(),
            stage.folder,
            source=item.source,
            licence=item.licence,
            telling=telling,
            aside=True,
        )
    except Duplicate as twice:
        raise Invalid(issue("OWN_IMPORT_DUPLICATE", twice.code, twice.canonical)) from twice
    if not manifest.concepts:
        path.unlink()
        return
    progress.concepts = before + manifest.concepts
    head = dict(item.head or head_of(item.info), count=manifest.concepts)
    entry = replace(_entry(form, head, item.source), fhir=item.fhir, snapshot=item.snapshot)
    stage.compiled(path, replace(entry, concepts=manifest.concepts, licence=item.licence, refused=manifest.refused))


def _keep(form: Format, item: Kept, stage: Stage, progress: Progress) -> None:
    resource = item.resource
    name = f"{resource.get('resourceType')} {resource.get('url') or resource.get('id')}"
    try:
        resources.layer([resource])
    except Refusal as refused:
        progress.source.refuse(name, "OWN_ROW_RESOURCE", text(refused.issues[0]))
        return
    head = {key: value for key, value in resource.items() if key not in LARGE}
    progress.resources += 1
    number = _size(resource)
    progress.concepts += number or 0
    entry = replace(_entry(form, head, item.source), concepts=number, fhir=item.fhir, snapshot=item.snapshot)
    stage.resource(json_text.write(resource), entry)


def _size(resource: Json) -> int | None:
    """How many concepts a code system lists."""
    if resource.get("resourceType") != "CodeSystem":
        return None
    waiting, found = [resource], -1
    while waiting:
        found += 1
        waiting.extend(waiting.pop().get("concept", ()))
    return found


def _entry(form: Format, head: Json, source: str) -> Entry:
    head = json.loads(json_text.write(head))  # the index is plain JSON, and compared with what it held before
    url = head.get("url") or head.get("id") or ""
    return Entry(
        kind=head["resourceType"],
        url=url,
        version=head.get("version"),
        id=head.get("id") or _identity(url, head.get("version")),
        file="",
        head=dict(head, id=head.get("id") or _identity(url, head.get("version"))),
        format=form.name,
        source=source,
        licence=str(head.get("copyright") or ""),
        loaded=datetime.now(UTC).date().isoformat(),
    )


def _identity(url: str, version: str | None) -> str:
    """An id (https://hl7.org/fhir/datatypes.html#id) of an url and a version."""
    text = "-".join(part for part in (url.rstrip("/").rpartition("/")[2], version) if part)
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text).strip("-")[-64:] or "it"


def head_of(info: CodeSystemInfo) -> Json:
    """The CodeSystem resource of what is known about a code system, without concepts."""
    canonical = info.canonical
    found: Json = {
        "resourceType": "CodeSystem",
        "id": _identity(canonical.url, canonical.version),
        "meta": {"security": [{"code": label} for label in sorted(info.labels)]} if info.labels else None,
        "url": canonical.url,
        "version": canonical.version,
        "name": info.name,
        "title": info.title,
        "status": info.status or "active",
        "experimental": info.experimental or None,
        "language": info.language,
        "copyright": info.copyright,
        "effectivePeriod": _period(info),
        "caseSensitive": info.case_sensitive,
        "valueSet": info.value_set,
        "hierarchyMeaning": info.hierarchy_meaning,
        "compositional": info.compositional or None,
        "content": info.content,
        "property": [{key: value for key, value in _declared(each) if value is not None} for each in info.properties],
    }
    return {key: value for key, value in found.items() if value not in (None, [])}


def _period(info: CodeSystemInfo) -> Json | None:
    bounds = {"start": info.effective_from, "end": info.effective_to}
    return {name: day for name, day in bounds.items() if day} or None


def _declared(definition: object) -> list[tuple[str, str | None]]:
    return [(name, getattr(definition, name)) for name in ("code", "uri", "description", "type")]
