"""No name means anything: HL7's cases under other urls, codes and versions, or in another order, answer the same."""

import pytest
from ecosystem import live
from ecosystem.renaming import CODES, URLS, VERSIONS, Renamed, Renaming, Reordered, together

EXPECTED = {
    "translate/translate-reverse": "two maps of one url and version come with it: the first one counts",
    "exclude/exclude-gender2": "one code of two systems: the runner leaves them in the order of the includes",
}


def failures(client: live.Recording, *, exempt: frozenset[str] = frozenset()) -> dict[str, str]:
    """The first difference of every case that fails under other names, but passes under its own."""
    found = [live.run(client, suite) for suite in live.suites("R5")]
    known = live.baseline("R5") | exempt
    return {key: text for outcome in found for key, text in outcome.failed.items() if key not in known}


def test_cases_answer_the_same_under_other_urls_codes_and_versions(live_server: str):
    client = Renamed(live_server + live.PATHS["R5"], "R5", together(URLS, CODES, VERSIONS))
    failed = failures(client)
    assert not failed, live.said(failed)
    assert client.renamed > 300


def test_cases_answer_the_same_where_resources_and_includes_come_in_the_opposite_order(live_server: str):
    failed = failures(Reordered(live_server + live.PATHS["R5"], "R5"), exempt=frozenset(EXPECTED))
    assert not failed, live.said(failed)


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        (URLS, '{"url":"http://hl7.org/fhir/test/CodeSystem/simple"}'),
        (CODES, '{"code":"code1","CODE2":"Code3","system":"x"}'),
        (VERSIONS, '{"version":"0.1.0","url":"u|1.x","text":"version \'1.0.0\'"}'),
    ],
    ids=["urls", "codes", "versions"],
)
def test_a_renaming_changes_names_and_can_be_taken_back(names: Renaming, sent: str):
    changed = names.there(sent)
    assert changed != sent
    assert names.back(changed) == sent
