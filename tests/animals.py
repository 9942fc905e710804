"""A small code system of animals: a hierarchy, and properties of every type."""

from typing import Any

ANIMALS = "https://example.org/CodeSystem/animals"


def concept(code: str, *below: Any, **properties: Any) -> dict[str, Any]:
    """A concept with those below it and its properties, each of the type of its value."""
    made: dict[str, Any] = {"code": code, "display": code.capitalize()}
    if below:
        made["concept"] = list(below)
    kinds = {bool: "Boolean", int: "Integer", str: "String", dict: "Coding"}
    if properties:
        made["property"] = [
            {"code": name, "valueCode" if name in {"diet", "status"} else f"value{kinds[type(value)]}": value}
            for name, value in properties.items()
        ]
    return made


def animals(version: str = "1", **changes: Any) -> dict[str, Any]:
    """dog and cat are mammals, mammal and bird are animals."""
    return {
        "resourceType": "CodeSystem",
        "id": f"animals-{version}",
        "url": ANIMALS,
        "version": version,
        "status": "active",
        "content": "complete",
        "hierarchyMeaning": "is-a",
        "property": [
            {"code": "legs", "type": "integer"},
            {"code": "tame", "type": "boolean"},
            {"code": "diet", "type": "code", "uri": "https://example.org/diet"},
            {"code": "sound", "type": "string"},
            {"code": "enemy", "type": "Coding"},
        ],
        "concept": [
            concept(
                "animal",
                concept(
                    "mammal",
                    concept("dog", legs=4, tame=True, diet="bird", sound="a loud bark"),
                    concept("cat", legs=4, tame=True, diet="mammal", enemy={"system": ANIMALS, "code": "dog"}),
                    legs=4,
                ),
                concept("bird", legs=2, tame=False),
            )
        ],
        **changes,
    }
