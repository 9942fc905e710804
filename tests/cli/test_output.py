"""Answers as tables: aligned, folded to the width of the terminal, and harmless whatever a display holds."""

import pytest

from terminology import output
from terminology.output import Table


def lines(*tables, **options):
    return output.text(tables, **options).split("\n")


def test_columns_are_as_wide_as_their_widest_cell_and_lines_have_no_trailing_blanks():
    assert lines(Table((("a", "1"), ("bcd", "")), ("code", "n"))) == ["code  n", "----  -", "a     1", "bcd"]


def test_a_table_has_its_heading_and_a_blank_line_before_it():
    assert lines(Table((("a", "b"),)), Table((("c",),), heading="more")) == ["a  b", "", "more", "c"]


@pytest.mark.parametrize("width", [20, 30, 40, 80])
def test_no_line_is_longer_than_the_terminal(width):
    long = "a sentence of several words http://example.org/" + "x" * 100
    found = lines(Table((("38232", long), ("1", "short")), ("code", "what")), width=width)
    assert max(map(len, found)) <= width
    words = "".join(line[line.index(" ") :] if line.startswith(("38232", "1 ")) else line for line in found[2:])
    assert "".join(words.split()) == "".join(f"{long} short".split())


def test_without_a_terminal_nothing_is_folded():
    assert lines(Table((("x" * 500,),))) == ["x" * 500]


@pytest.mark.parametrize(
    ("text", "cells"),
    [("abc", 3), ("Prélèvement", 11), ("Pre\u0301le\u0300vement", 11), ("骨髓採取", 8), ("コード", 6), ("", 0)],
)
def test_the_width_of_a_text_is_that_of_its_cells_in_a_terminal(text, cells):
    assert output.wide(text) == cells


def test_wide_characters_stay_aligned_and_fold():
    assert lines(Table((("骨髓", "a"), ("bm", "b")))) == ["骨髓  a", "bm    b"]
    assert lines(Table((("骨髓採取骨髓採取",),)), width=8) == ["骨髓採取", "骨髓採取"]


@pytest.mark.parametrize("control", ["\x1b[2J", "\x07", "\x9b2J", "\u202e", "\u2028"])
def test_no_control_character_of_a_display_reaches_the_terminal(control):
    shown = output.shown(f"a{control}b")
    assert control[0] not in shown
    assert "\N{REPLACEMENT CHARACTER}" in shown


def test_line_breaks_become_blanks():
    assert output.shown("a\r\nb\tc") == "a  b c"


@pytest.mark.parametrize(
    ("value", "brief", "text"),
    [
        (None, False, ""),
        (True, False, "true"),
        (0, False, "0"),
        (1.9, False, "1.9"),
        (["a", "b"], False, "a; b"),
        ({"system": "http://x.org/s", "code": "c", "display": "D"}, False, "http://x.org/s#c (D)"),
        ({"system": "http://x.org/s", "code": "c", "display": "D"}, True, "s#c (D)"),
        ({"code": "c"}, False, "c"),
        ({"coding": [{"code": "a"}, {"code": "b"}], "text": "t"}, False, "a; b"),
        ({"start": "2012", "end": "2013"}, False, "start=2012; end=2013"),
        ("http://x.org/s|1.0", True, "s|1.0"),
        ("a / b", True, "a / b"),
    ],
)
def test_every_datatype_fits_on_one_line(value, brief, text):
    assert output.shown(value, brief=brief) == text


def test_parameters_are_pairs_then_a_table_for_each_name_that_has_parts():
    resource = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "result", "valueBoolean": True},
            {"name": "property", "part": [{"name": "code", "valueCode": "a"}, {"name": "value", "valueString": "1"}]},
            {
                "name": "property",
                "part": [
                    {"name": "code", "valueCode": "b"},
                    {"name": "source", "valueCanonical": "http://x.org/s|1"},
                    {"name": "subproperty", "part": [{"name": "code", "valueCode": "c"}]},
                    {"name": "subproperty", "part": [{"name": "code", "valueCode": "d"}]},
                ],
            },
        ],
    }
    assert output.tables(resource) == [
        Table((("result", "true"),)),
        Table(
            (("a", "1", "", ""), ("b", "", "s|1", "c; d")),
            ("code", "value", "source", "subproperty"),
            "property",
        ),
    ]
    assert output.tables(resource, without=("result", "property")) == []


def test_an_issue_says_what_and_where_then_why_then_what_was_meant():
    issue = {
        "severity": "error",
        "expression": ["code"],
        "details": {"text": "Unknown code"},
        "diagnostics": "There is a blank in it",
        "extension": [
            {"url": output.SUGGESTED_CODING, "valueCoding": {"system": "http://x.org", "code": "1"}},
            {"url": "http://other.org", "valueString": "x"},
        ],
    }
    [found] = output.tables({"resourceType": "OperationOutcome", "issue": [issue]})
    assert found.rows == (
        ("error", "code: Unknown code"),
        ("", "There is a blank in it"),
        ("", "suggestion: http://x.org#1"),
    )


def test_an_explanation_that_only_repeats_the_text_is_not_said_twice():
    issue = {"severity": "error", "details": {"text": "Unknown code"}, "diagnostics": "Unknown code"}
    [found] = output.tables({"resourceType": "OperationOutcome", "issue": [issue]})
    assert found.rows == (("error", "Unknown code"),)


def test_an_expansion_is_indented_by_depth():
    resource = {
        "resourceType": "ValueSet",
        "url": "http://x.org/vs",
        "version": "1",
        "expansion": {
            "total": 2,
            "parameter": [{"name": "count", "valueInteger": 2}],
            "contains": [
                {
                    "abstract": True,
                    "display": "Group",
                    "contains": [{"system": "http://x.org/s", "code": "a", "display": "A", "inactive": True}],
                }
            ],
        },
    }
    pairs, codes = output.tables(resource)
    assert pairs.rows == (("value set", "http://x.org/vs|1"), ("total", "2"), ("count", "2"))
    assert codes.columns == ("code", "display", "system", "notes")
    assert codes.rows == (("", "Group", "", "abstract"), ("  a", "A", "s", "inactive"))


def test_colour_is_only_there_where_it_is_asked_for():
    found = Table((("a",),), heading="head")
    assert "\x1b" not in output.text([found])
    assert "\x1b[1mhead\x1b[0m" in output.text([found], colour=True)
