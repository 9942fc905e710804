"""What is said about the two CPT codes: a fragment a year, our facts and our labels, each from one source.

The code numbers are identifiers; no text of the AMA is held. The sources lie in `sources/`: a template of the
resource, whose `{placeholders}` are filled here, and what differs between years, releases and languages.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def fragments() -> Iterator[dict[str, Any]]:
    """The fragment of CPT of every year from `firstYear` to `lastYear`, oldest first."""
    source = _read("sources/cpt-fragments.json")
    for year in range(source["firstYear"], source["lastYear"] + 1):
        held = [concept for concept in source["concept"] if concept["firstYear"] <= year]
        notice = source["copyright"].format(year=year)
        yield {
            **_filled(source["resource"], year=year, codes=_listed(concept["code"] for concept in held)),
            "copyright": notice,
            "copyrightLabel": notice,
            "concept": [{key: value for key, value in concept.items() if key != "firstYear"} for concept in held],
        }


def facts() -> Iterator[dict[str, Any]]:
    """The supplement of facts, once for release 2011 and once for the releases from 2012 on.

    The facts are those of the licence-free concept that a code `factsOf` names: they are written once.
    """
    source = _read("sources/cpt-facts.json")
    system = _read(source["factsFrom"])
    known = {concept["code"]: concept["property"] for concept in _concepts(system)}
    for release in source["versions"]:
        yield {
            **_filled(source["resource"], **release),
            "property": [*system["property"], *source["property"]],
            "concept": [
                {"code": concept["code"], "property": [*known[concept["factsOf"]], *concept["property"]]}
                for concept in release["concept"]
            ],
        }


def labels() -> Iterator[dict[str, Any]]:
    """The language packs: for each language one for release 2011 and one for the releases from 2012 on."""
    source = _read("sources/cpt-labels.json")
    for language, words in source["languages"].items():
        use = {"system": source["use"], "code": words["use"]}
        for release in source["versions"]:
            said = words["labels"][release["version"]]
            title = words["title"].format(years=release["years"])
            description = words["description"].format(codes=_listed(said))
            yield {
                **_filled(source["resource"], language=language, title=title, description=description, **release),
                "concept": [
                    {"code": code, "designation": [{"language": language, "use": use, "value": label}]}
                    for code, label in said.items()
                ],
            }


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
    return content


def _concepts(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for concept in of.get("concept", []):
        yield concept
        yield from _concepts(concept)


def _filled(template: Any, **values: Any) -> Any:
    match template:
        case str():
            return template.format(**values)
        case dict():
            return {key: _filled(value, **values) for key, value in template.items()}
        case list():
            return [_filled(value, **values) for value in template]
        case _:
            return template


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(codes)
