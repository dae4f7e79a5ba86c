// The evidence of a cell, of its scenario, and the way to the next one that is unexpected.
const h = (tag, props, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return element;
};

// As duration_text and size_text of reports/compare.hpp.
function duration(ns) {
  const steps = [['ns', 1], ['us', 1e3], ['ms', 1e6], ['s', 1e9]];
  const [unit, size] = steps.findLast(([, least]) => Math.abs(ns) >= least) ?? steps[0];
  const value = ns / size;
  return `${unit === 'ns' ? value : value.toPrecision(3).replace(/e\+\d+$/, '')} ${unit}`;
}
function bytes(size) {
  const steps = [['bytes', 1], ['KiB', 1024], ['MiB', 1048576], ['GiB', 1073741824]];
  const [unit, least] = steps.findLast(([, from]) => size >= from) ?? steps[0];
  return `${unit === 'bytes' ? size : (size / least).toFixed(1)} ${unit}`;
}
const measured = (value, unit) => typeof value !== 'number' ? `${value} ${unit}`.trim() :
  unit === 'ns' ? duration(value) : unit === 'bytes' ? bytes(value) : `${value} ${unit}`.trim();

const chip = (cell, href) => h(href ? 'a' : 'span',
  {class: `k ${cell.outcome}${cell.emulated ? ' emulated' : ''}`, href: href && `#${href}`},
  cell.outcome);
const tag = (text, kind = '') => h('span', {class: `tag ${kind}`}, text);
const titled = (title, ...body) => body.length ? [h('h4', {}, title), ...body] : [];
const sourceLink = source => /^https:\/\/|^[\w-]+(\.[\w-]+)+\//.test(source) ?
  h('a', {class: 'src', rel: 'noreferrer', href: source.replace(/^(?!https:)/, 'https://')},
    source) : source;

function sides({expected, observed}) {
  if (!expected && !observed) return [];
  return [h('div', {class: 'sides'},
    h('div', {}, h('h4', {}, 'Expected'), h('pre', {}, expected ?? '')),
    h('div', {class: 'saw'}, h('h4', {}, 'Observed'), h('pre', {}, observed ?? '')))];
}
function trace({trace: events, dropped}) {
  if (events.length === 0) return [];
  const last = Math.max(1, ...events.map(([at]) => at));
  const line = ([at, what]) => {
    const rail = h('span', {class: 'rail'});
    rail.style.setProperty('--at', `${Math.min(100, Math.max(0, 100 * at / last))}%`);
    return h('li', {}, h('i', {}, duration(at)), rail, h('span', {}, what));
  };
  return titled('Trace', h('ol', {class: 'trace'}, events.map(line)),
    ...(dropped ? [h('p', {class: 'note'}, `${dropped} more events are not in this page.`)] : []));
}
function proof({backend}) {
  if (!backend) return [];
  if (!backend.effective && backend.proof.length === 0) {
    return titled('Backend', h('p', {}, 'The process ended before it could say.'));
  }
  return titled('Backend',
    h('p', {}, `${backend.requested} was asked for, `, h('b', {}, backend.effective || 'nothing'),
      ` was found: ${backend.proved ? 'proved' : 'not proved'}.`),
    h('ul', {class: 'proofs'}, backend.proof.map(([how, value]) =>
      h('li', {}, `${how}: `, h('code', {}, value)))));
}
function numbers({numbers: list, killed}) {
  if (list.length === 0) return [];
  const row = ([key, value, unit]) =>
    h('div', {}, h('dt', {}, key), h('dd', {}, measured(value, unit)));
  const ended = killed ? [row(['ended', 'killed at its limit', ''])] : [];
  return titled('Numbers', h('dl', {class: 'terms'}, list.map(row), ended));
}
function teardown({leaks}, cell) {
  if (!leaks) {
    const clean = ['pass', 'diverges', 'fail'].includes(cell.outcome);
    return clean ? titled('Left behind', h('p', {}, 'Nothing: the same before and after.')) : [];
  }
  return titled('Left behind', h('div', {class: 'scroll'}, h('table', {class: 'plain'},
    h('thead', {}, h('tr', {}, ['kind', 'what', 'before', 'after'].map(t =>
      h('th', {scope: 'col'}, t)))),
    h('tbody', {}, leaks.map(row => h('tr', {}, row.map(text => h('td', {}, text))))))));
}
function output(title, text) {
  return text ? [h('details', {class: 'more'}, h('summary', {}, title), h('pre', {}, text))] : [];
}
function dossier({dossier: parts}) {
  if (!parts) return [];
  return [h('details', {class: 'more', open: true},
    h('summary', {}, 'What it was doing at the end'),
    parts.filter(part => part.lines.length).map(({title, lines}) =>
      [h('h5', {}, title), h('pre', {}, lines.join('\n'))]))];
}
function rerun(line) {
  if (!line) return [];
  const code = h('code', {}, line), copy = h('button', {type: 'button'}, 'copy');
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(line);
      copy.textContent = 'copied';
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = 'selected';
    }
  });
  return [h('p', {class: 'rerun'}, h('span', {}, 'Run it again'), ' ', code, ' ', copy)];
}
const standingTags = (cell, detail) => [
  detail.standing === 'unexpected' ? tag('unexpected', 'odd') : null,
  detail.standing === 'stale_expectation' ? tag('the expectation is stale', 'odd') : null,
  detail.expectation && detail.standing === 'as_expected' ? tag('known, as expected') : null,
  detail.relation === 'only_this_loop' ? tag('the reference loop passes') : null,
  detail.relation === 'also_reference' ? tag('also on the reference loop') : null,
  detail.relation === 'only_reference' ? tag('the reference loop does not pass') : null,
  cell.emulated ? tag('emulated by our adapter') : null,
  cell.repeat ? tag(`repeat ${cell.repeat}`) : null];

function panel(cell) {
  const detail = cell.detail();
  const known = detail.expectation;
  return h('article', {class: `panel ${cell.outcome}`, 'data-at': cell.anchor,
                       'aria-label': `${cell.loopText}: ${cell.outcome}`},
    h('header', {}, h('h3', {tabindex: -1}, h('span', {class: 'loop'}, cell.loopText), ' ',
                      chip(cell), cell.variant ? h('code', {}, cell.variant) : null),
      standingTags(cell, detail)),
    detail.reason ? h('p', {class: 'reason'}, detail.reason) : null,
    detail.what ? h('p', {class: 'check'},
      `Checked: ${detail.what}${detail.where ? ` (${detail.where})` : ''}`) : null,
    sides(detail),
    known ? h('p', {class: 'note'}, `Expected to be ${known[0]}: ${known[1]} (`,
              sourceLink(known[2]), ')') : null,
    detail.why ? titled('Why', h('ol', {class: 'why'}, detail.why.map(([what, answer]) =>
      h('li', {}, `${what} `, h('b', {}, answer))))) : null,
    h('div', {class: 'sides even'},
      h('div', {}, trace(detail), proof(detail)),
      h('div', {}, detail.backend || detail.leaks ? teardown(detail, cell) : null,
        numbers(detail))),
    dossier(detail), output('stderr', detail.stderr), output('stdout', detail.stdout),
    rerun(detail.rerun));
}

function cellRow(cell, here) {
  const detail = cell.detail();
  const took = detail.numbers.find(([key]) => key === 'took');
  const gist = detail.observed || detail.reason ||
    detail.trace.slice(0, 8).map(([at, what]) => `${what} ${duration(at)}`).join(', ');
  return h('tr', {class: cell === here ? 'at' : null, 'data-loop': cell.loop,
                  'data-platform': cell.platform},
    h('th', {scope: 'row'}, cell.loopText, cell.repeat ? ` (repeat ${cell.repeat})` : ''),
    h('td', {}, chip(cell, cell.anchor)),
    h('td', {class: 'num'}, took ? duration(took[1]) : ''),
    h('td', {}, cell.variant ? h('code', {}, cell.variant) : null, ' ', gist));
}

/// Before and after a cell among those that are unexpected, in the order of the page.
function neighbours(cell, scenario) {
  const list = unexpected();
  const place = other => other.at.scenario * data().columns.length + other.at.column;
  const here = cell ? place(cell) : data().scenarios.indexOf(scenario) * data().columns.length;
  return {before: list.findLast(other => place(other) < here),
          after: list.find(other => place(other) > here)};
}

draw.cells = focus => {
  const all = data();
  let cell = cellByAnchor().get(state.at) ?? null;
  let row = cell?.scenario ?? all.scenarios.find(other => `s.${slug(other.id)}` === state.at);
  if (!row) {
    cell = unexpected()[0] ?? all.cells[0] ?? null;
    row = cell?.scenario;
  }
  const place = $('#evidence');
  for (const old of $$('.scenario.on')) old.classList.remove('on');
  if (!row) return place.replaceChildren(h('p', {class: 'calm'}, 'This report has no cell.'));
  const {before, after} = neighbours(cell, row);
  const link = (label, other, rel) => other ?
    h('a', {href: `#${other.anchor}`, rel, class: rel}, label) : h('span', {class: 'calm'}, label);
  const count = unexpected().length;
  const at = unexpected().indexOf(cell);
  place.replaceChildren(
    h('nav', {class: 'walk', 'aria-label': 'Unexpected cells'},
      link('\u2190 previous unexpected', before, 'prev'),
      h('span', {class: 'calm'}, at < 0 ? `${count} unexpected` : `${at + 1} of ${count}`),
      link('next unexpected \u2192', after, 'next'), h('a', {href: '#matrix'}, 'matrix')),
    h('h3', {class: 'which', tabindex: -1}, h('code', {}, row.id)),
    ...(cell ? [panel(cell)] : []),
    h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Cells of the scenario'},
      h('table', {class: 'lines cells'}, h('thead', {}, h('tr', {},
        ['loop', 'outcome', 'took', 'what it did'].map(t => h('th', {scope: 'col'}, t)))),
        h('tbody', {}, row.cells.flat().map(other => cellRow(other, cell))))));
  const section = document.getElementById(`s.${slug(row.id)}`);
  section.classList.add('on');
  section.open = true;
  if (focus) {
    scrollTo(0, 0);
    ($('.panel h3', place) ?? $('.which', place)).focus();
  }
};
