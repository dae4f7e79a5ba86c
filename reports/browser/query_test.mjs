// Holds the page's queries to the vectors that the queries of the command line are held to.
//   run query_test.mjs
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import vm from 'node:vm';
import {here, testdata} from './folders.mjs';

const source = readFileSync(path.join(here, '..', 'html', 'query.js'), 'utf8');
const queries = vm.runInThisContext(`${source};queries`);
const cases = JSON.parse(readFileSync(path.join(testdata, 'query_cases.json')));
const words = queries.words(cases.scenarios, cases.loops, cases.platforms);

const expected = cell => cell.standing === 'as_expected' && cell.expectation;
const kept = ['pass', 'skip', 'unsupported', 'inconclusive', 'broken', 'notrun'];
const shared = cell => cell.loop !== cases.reference && !kept.includes(cell.outcome) &&
  cases.cells.some(other => other.loop === cases.reference && other.platform === cell.platform &&
    other.scenario === cell.scenario && !kept.includes(other.outcome));
const cells = cases.cells.map(cell => ({...cell, shared: shared(cell), attention: !expected(cell) &&
  (cell.standing === 'unexpected' || /^(inconclusive|broken|notrun)$/.test(cell.outcome))}));

for (const {query, matches, error} of cases.queries) {
  test(JSON.stringify(query), () => {
    if (error) {
      assert.throws(() => queries.parse(query, words), error);
      return;
    }
    const holds = queries.parse(query, words);
    const seen = cases.scenarios.filter(row =>
      holds(row, cells.filter(cell => cell.scenario === row.id))).map(row => row.id);
    assert.deepEqual(seen, matches);
  });
}
