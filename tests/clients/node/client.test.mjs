// fhir-kit-client against the server at FHIR_BASE. It posts a batch to the base with a slash at its end, lets fetch add
// Accept-Language "*", and fails with `error.response.data` = the OperationOutcome. PUBLISHED is published.py as JSON.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Client } from 'fhir-kit-client';

const baseUrl = process.env.FHIR_BASE;
const r4 = baseUrl.endsWith('/r4');
const published = JSON.parse(readFileSync(process.env.PUBLISHED, 'utf8'));
const { CPT, CONCEPTS, VALUES, BOTH, TO_CONCEPTS, LABELS, DONOR_LABEL, FACTS, MEMBERSHIP } = published;
const { NOT_A_CODE, UNKNOWN_CODE, UNKNOWN_ID, MAYBE_ELSEWHERE } = published;
const client = new Client({ baseUrl });

/** The parameters of that name. */
const named = (answer, name) => answer.parameter.filter((each) => each.name === name);

/** The one value of the parameter or part of that name, whatever its type. */
const value = (entries, name) => {
  const found = entries.filter((each) => each.name === name);
  assert.equal(found.length, 1, name);
  const [[, held]] = Object.entries(found[0]).filter(([key]) => key.startsWith('value'));
  return held;
};

/** A Parameters resource of [name, type, value]. */
const parameters = (...entries) => ({
  resourceType: 'Parameters',
  parameter: entries.map(([name, type, held]) => ({ name, [type]: held })),
});

const get = (resourceType, name, input) => client.operation({ resourceType, name, method: 'GET', input });
const lookup = (more = {}) => get('CodeSystem', 'lookup', { system: CPT, code: '38232', ...more });
const display = async (more) => value((await lookup(more)).parameter, 'display');

test('the capability statement names the version and the operations', async () => {
  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, r4 ? '4.0.1' : '5.0.0');
  const system = statement.rest[0].resource.find((each) => each.type === 'CodeSystem');
  const offered = system.operation.map((each) => each.name);
  for (const name of ['lookup', 'subsumes', 'validate-code']) assert.ok(offered.includes(name), name);
});

test('lookup tells the facts with their types', async () => {
  const facts = {};
  const others = {};
  for (const { part } of named(await lookup(), 'property')) {
    const code = value(part, 'code');
    const held = value(part, 'value');
    if (held.system === VALUES) (facts[code] ??= []).push(held.code);
    else others[code] = held;
  }
  assert.deepEqual(facts, FACTS);
  assert.equal(others['target-volume-litres'], 1.9);
  assert.equal(others['valid-from'], '2012-01-01');
  assert.equal(others.inactive, false);
});

test('lookup by POST answers as by GET', async () => {
  const input = parameters(['system', 'valueUri', CPT], ['code', 'valueCode', '38232']);
  assert.deepEqual(await client.operation({ resourceType: 'CodeSystem', name: '$lookup', input }), await lookup());
});

test('lookup tells the designations with their languages', async () => {
  const labels = named(await lookup(), 'designation').map(({ part }) => [value(part, 'language'), value(part, 'value')]);
  assert.deepEqual(Object.fromEntries(labels), LABELS);
});

test('lookup answers in the language that was asked for', async () => {
  assert.equal(await display(), LABELS.en);
  assert.equal(await display({ displayLanguage: 'de' }), LABELS.de);
  const french = new Client({ baseUrl, customHeaders: { 'Accept-Language': 'fr' } });
  const input = { system: CPT, code: '38232' };
  const answer = await french.operation({ resourceType: 'CodeSystem', name: 'lookup', method: 'GET', input });
  assert.equal(value(answer.parameter, 'display'), LABELS.fr);
});

test('membership is told with a message when it is not so', async () => {
  for (const [url, code, expected, message] of MEMBERSHIP) {
    const answer = await get('ValueSet', 'validate-code', { url, system: CPT, code });
    assert.equal(value(answer.parameter, 'result'), expected, `${code} in ${url}`);
    assert.deepEqual(named(answer, 'message').map((each) => each.valueString), expected ? [] : [message]);
    const input = parameters(['url', 'valueUri', url], ['system', 'valueUri', CPT], ['code', 'valueString', code]);
    assert.deepEqual(await client.operation({ resourceType: 'ValueSet', name: 'validate-code', input }), answer);
  }
});

test('a published value set is asked by its id', async () => {
  const input = { system: CPT, code: '38230' };
  const asked = { resourceType: 'ValueSet', id: 'bone-marrow-harvest-own-use', name: 'validate-code', method: 'GET' };
  assert.equal(value((await client.operation({ ...asked, input })).parameter, 'result'), false);
});

test('a code is validated in its system', async () => {
  const known = await get('CodeSystem', 'validate-code', { url: CPT, code: '38230' });
  assert.equal(value(known.parameter, 'result'), true);
  assert.equal(value(known.parameter, 'display'), DONOR_LABEL);
  const unknown = await get('CodeSystem', 'validate-code', { url: CPT, code: NOT_A_CODE });
  assert.equal(value(unknown.parameter, 'result'), true);
  const [{ resource: outcome }] = named(unknown, 'issues');
  assert.deepEqual(outcome.issue.map((each) => each.severity), ['warning']);
  assert.ok(outcome.issue[0].details.text.includes(MAYBE_ELSEWHERE));
});

test('an expansion lists the codes with their displays', async () => {
  const { expansion } = await get('ValueSet', 'expand', { url: BOTH });
  assert.equal(expansion.total, 2);
  const listed = expansion.contains.map((each) => [each.system, each.code, each.display]);
  assert.deepEqual(listed, [[CPT, '38230', DONOR_LABEL], [CPT, '38232', LABELS.en]]);
});

test('two codes are compared', async () => {
  const outcome = async (system, codeA, codeB) =>
    value((await get('CodeSystem', 'subsumes', { system, codeA, codeB })).parameter, 'outcome');
  assert.equal(await outcome(CONCEPTS, 'harvest', 'harvest-own-use'), 'subsumes');
  assert.equal(await outcome(CPT, '38230', '38232'), 'not-subsumed');
});

test('a code is translated in the words of each version', async () => {
  const code = r4 ? { code: '38232' } : { sourceCode: '38232' };
  const answer = await get('ConceptMap', 'translate', { url: TO_CONCEPTS, system: CPT, ...code });
  assert.equal(value(answer.parameter, 'result'), true);
  const [{ part }] = named(answer, 'match');
  assert.equal(value(part, r4 ? 'equivalence' : 'relationship'), 'equivalent');
  assert.equal(value(part, 'concept').system, CONCEPTS);
  assert.equal(value(part, 'concept').code, 'harvest-own-use');
});

test('a search follows its pages', async () => {
  let bundle = await client.search({ resourceType: 'CodeSystem', searchParams: { url: CPT, _count: 5 } });
  assert.equal(bundle.total, 16);
  const releases = [];
  for (let pages = 0; bundle && pages < 10; pages += 1) {
    releases.push(...bundle.entry.map((each) => each.resource.version));
    bundle = await client.nextPage({ bundle });
  }
  assert.deepEqual(releases.sort(), Array.from({ length: 16 }, (_, index) => String(2011 + index)));
});

test('a search may be posted', async () => {
  const options = { postSearch: true };
  const bundle = await client.search({ resourceType: 'ValueSet', searchParams: { url: BOTH }, options });
  assert.deepEqual(bundle.entry.map((each) => each.resource.id), ['bone-marrow-harvest']);
});

test('reading by id gives what the search found', async () => {
  const searchParams = { url: CPT, version: '2026' };
  const bundle = await client.search({ resourceType: 'CodeSystem', searchParams });
  assert.deepEqual(await client.read({ resourceType: 'CodeSystem', id: 'cpt-2026' }), bundle.entry[0].resource);
});

test('what is not there is an error with the words of the outcome', async () => {
  const says = (text) => (error) => {
    assert.equal(error.response.status, 404);
    assert.equal(error.response.data.resourceType, 'OperationOutcome');
    assert.equal(error.response.data.issue[0].details.text, text);
    return true;
  };
  await assert.rejects(client.read({ resourceType: 'CodeSystem', id: 'nope' }), says(UNKNOWN_ID));
  await assert.rejects(lookup({ code: NOT_A_CODE }), says(UNKNOWN_CODE));
});

test('what this server does not do is refused in an outcome', async () => {
  const refused = (error) => error.response.status >= 400 && error.response.data.resourceType === 'OperationOutcome';
  await assert.rejects(client.delete({ resourceType: 'CodeSystem', id: 'cpt-2026' }), refused);
  await assert.rejects(client.history(), refused);
  await assert.rejects(client.request('.well-known/smart-configuration'), refused);
});

test('a batch answers each entry in its place', async () => {
  const resource = parameters(['system', 'valueUri', CPT], ['code', 'valueCode', '38232']);
  const entry = [
    { request: { method: 'POST', url: 'CodeSystem/$lookup' }, resource },
    { request: { method: 'GET', url: 'CodeSystem/nope' } },
  ];
  const bundle = await client.batch({ body: { resourceType: 'Bundle', type: 'batch', entry } });
  assert.deepEqual(bundle.entry.map((each) => each.response.status.slice(0, 3)), ['200', '404']);
  assert.equal(value(bundle.entry[0].resource.parameter, 'display'), LABELS.en);
  assert.equal(bundle.entry[1].response.outcome.issue[0].details.text, UNKNOWN_ID);
});
