"""What `scripts/make-docs` writes about operations: their reference, and the marked parts of README.md.

Everything follows from the operation table and from real answers of this code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from terminology import create_app
from terminology.operation import Operation, Parameter
from terminology.operations import OPERATIONS
from terminology.operations.shared import SCOPE_PARAMETERS
from terminology.rest import search, search_parameters

CPT = "http://www.ama-assn.org/go/cpt"

OPERATIONS_PAGE = """# Operations

Everything lies under `/fhir/r4` and `/fhir/r5`; `/fhir` answers as R4. The same engine answers both.

An operation is asked with GET (parameters in the query) or POST (a Parameters resource, JSON or XML; a bare
resource stands for the parameter it is named after). The levels are *type* (`/CodeSystem/$lookup`), *instance*
(`/CodeSystem/{id}/$lookup`) and *system* (`/$operation`).

Both endpoints take every parameter below. The columns R4 and R5 say which version of FHIR defines it; a
parameter that neither defines belongs to HL7's [terminology ecosystem](https://hl7.org/fhir/uv/tx-ecosystem). A
parameter that is not in the table is ignored; with the header `Prefer: handling=strict` it is refused, and the
refusal names the nearest known one. A parameter marked *without effect* is known and deliberately not used; the
reason stands beside it.

## Beside the operations

| request | what it does |
| --- | --- |
| `GET metadata` | CapabilityStatement; with `?mode=terminology` TerminologyCapabilities |
| `GET $versions` | the FHIR versions of this endpoint |
| `GET {type}/{id}` | read a resource; ETag and If-None-Match are understood |
| `GET {type}?…`, `POST {type}/_search` | search, see below |
| `POST` a Bundle of type `batch` to the base | many requests in one, answered in order |
| create, update, patch, delete, vread, history, `transaction` | where there is a [store](../how-to/store.md) |

Types: TYPES. `_format` (`json`, `xml`) wins over the Accept header; `_pretty=true` indents.

### Search parameters

"""


# --- operations -------------------------------------------------------------------------------------------


def page() -> Iterator[str]:
    """docs/reference/operations.md."""
    yield OPERATIONS_PAGE.replace("TYPES", ", ".join(search.KINDS))
    shared = search.PARAMETERS
    searched = [("all", f"`{name}`", row[0], row[1]) for name, row in shared.items()]
    searched += [
        (kind, f"`{name}`", row[0], row[1])
        for kind in search.KINDS
        for name, row in search_parameters.of(kind).items()
        if name not in shared
    ]
    yield from table(("of", "parameter", "type", "what it looks at"), searched)
    controls = ", ".join(f"`{name}`" for name in search.RESULT_PARAMETERS)
    yield f"\nFor the result: {controls}.\n\n## All operations\n\n"
    yield from table(
        ("operation", "levels in R4", "levels in R5", "what it does"),
        (
            (f"[`{path(each)}`](#{path(each).replace('/', '').replace('$', '').lower()})", *levels(each), each.summary)
            for each in OPERATIONS
        ),
    )
    for each in OPERATIONS:
        yield from operation(each)


def operation(held: Operation) -> Iterator[str]:
    methods = "GET and POST" if held.asked_by_get else "POST"
    r4, r5 = levels(held)
    yield f"\n## {path(held)}\n\n{held.summary}\n\n"
    yield f"Levels: R4 {r4}; R5 {r5}. Methods: {methods}. Definition: <{held.specification}>.\n\n"
    yield from parameter_table("parameter", held.inputs)
    for names in held.contradictions:
        *first, last = (f"`{name}`" for name in names)
        yield f"\nOnly one of {', '.join(first)} and {last} may be sent.\n"
    yield "\nThe answer:\n\n"
    yield from parameter_table("part", held.outputs)


def parameter_table(head: str, parameters: Iterable[Parameter]) -> Iterator[str]:
    rows = (
        (f"`{each.name}`", each.type, "yes" if each.repeats else "", *defined(each), about(each)) for each in parameters
    )
    yield from table((head, "type", "repeats", "R4", "R5", "what it is"), rows)


def defined(parameter: Parameter) -> tuple[str, str]:
    return "yes" if "R4" in parameter.versions else "", "yes" if "R5" in parameter.versions else ""


def about(parameter: Parameter) -> str:
    words = [parameter.summary.removesuffix(" May repeat.")]
    if parameter.aliases:
        words.append(f"Also written {', '.join(f'`{alias}`' for alias in parameter.aliases)}.")
    if parameter.ignored:
        words.append(f"*Without effect*: {parameter.ignored}.")
    return " ".join(words)


def path(held: Operation) -> str:
    return "/".join(part for part in (held.resource, f"${held.name}") if part)


def levels(held: Operation) -> tuple[str, str]:
    r4, r5 = (", ".join(held.levels.get(fhir, ())) or "none" for fhir in ("R4", "R5"))
    return r4, r5


# --- README -----------------------------------------------------------------------------------------------


def readme(text: str) -> str:
    """README as it stands, with what lies between its markers made anew."""
    for name, made in (("operations", operations_in_short()), ("truth table", truth_table())):
        begin, end = f"<!-- {name}: made by scripts/make-docs -->\n", f"<!-- end of {name} -->"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        text = re.sub(pattern, lambda _, parts=(begin, *made, end): "".join(parts), text, flags=re.DOTALL)
    return text


def operations_in_short() -> Iterator[str]:
    shared = [each.name for each in SCOPE_PARAMETERS if not each.ignored]
    rows = []
    for each in OPERATIONS:
        own = [f"`{one.name}`" for one in each.inputs if not one.ignored and one.name not in shared]
        with_shared = set(shared) <= {one.name for one in each.inputs}
        r4, r5 = levels(each)
        level = r4 if r4 == r5 else f"R4 {r4}; R5 {r5}"
        rows.append((f"`{path(each)}`", level, ", ".join([*own, *(["†"] if with_shared else [])])))
    yield from table(("operation", "level", "parameters"), rows)
    yield f"\n† and: {', '.join(f'`{name}`' for name in shared)}.\n"


def truth_table() -> Iterator[str]:
    """Questions about CPT codes, and what `CodeSystem/$validate-code` says, from real answers of this code."""
    client = create_app().test_client()
    said: dict[str, str] = {}
    rows = []
    for words, request in questions(client):
        answers = []
        for fhir in ("r4", "r5"):
            answer = asked(client, fhir, "CodeSystem/$validate-code", {"url": CPT, **dict(parse_qsl(request))})
            answers.append(verdict(answer, said))
        rows.append((words, f"`{request}`", *answers))
    yield from table(("question", "request", "R4", "R5"), rows)
    yield "\nWhat the messages say, each at its first place in the table:\n\n"
    for identity, sentence in said.items():
        yield f"- `{identity}`: {sentence}\n"


def questions(client: Any) -> Iterator[tuple[str, str]]:
    newest = found(asked(client, "r5", "CodeSystem/$lookup", {"system": CPT, "code": "38230"}), "version")
    for code in ("38230", "38232"):
        shown = found(asked(client, "r5", "CodeSystem/$lookup", {"system": CPT, "code": code}), "display")
        yield f"{code}, no version", f"code={code}"
        yield f"{code} in the newest release", urlencode({"code": code, "version": newest})
        yield f"{code} in release 2011", f"code={code}&version=2011"
        yield f"{code} on the last day of 2011", f"code={code}&date=2011-12-31"
        yield f"{code} on 2012-01-01", f"code={code}&date=2012-01-01"
        yield f"{code} in release 2011, used in 2011", f"code={code}&version=2011&date=2011-12-31"
        yield f"{code} in the newest release, used in 2011", f"code={code}&version={newest}&date=2011-12-31"
        yield f"{code} in some month of 2012", f"code={code}&date=2012"
        yield f"{code} before the first release we know of", f"code={code}&date=2010-06-01"
        yield f"{code} with the display we ship", urlencode({"code": code, "display": shown})
        yield f"{code} with another display", urlencode({"code": code, "display": "Another name"})
    yield "99999, a code we do not know", "code=99999"
    yield "99999 in release 2011", "code=99999&version=2011"
    yield "99999 on 2012-01-01", "code=99999&date=2012-01-01"


def asked(client: Any, fhir: str, address: str, parameters: Mapping[str, str]) -> Any:
    return client.get(f"/fhir/{fhir}/{address}?{urlencode(parameters)}").get_json()


def found(answer: Any, name: str) -> Any:
    entry = next(each for each in answer["parameter"] if each["name"] == name)
    return next(value for key, value in entry.items() if key != "name")


def verdict(answer: Any, said: dict[str, str]) -> str:
    words = ["**true**" if found(answer, "result") else "**false**"]
    issues = next((each["resource"]["issue"] for each in answer["parameter"] if each["name"] == "issues"), [])
    for issue in issues:
        identity = issue["extension"][0]["valueString"]
        words.append(f"{issue['severity']} `{identity}`")
        more = f" *Diagnostics:* {issue['diagnostics']}" if "diagnostics" in issue else ""
        said.setdefault(identity, f"\u201c{issue['details']['text']}\u201d{more}")
    return ", ".join(words)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |\n"
