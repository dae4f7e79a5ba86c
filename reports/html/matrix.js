// The matrix: filters that answer while one types, and cells that lead to their evidence.
const form = $('#filters'), matrix = $('.matrix.main');
const rows = $$('tr[data-scenario]', matrix);
const bodies = $$('tbody', matrix).map(body => ({body, rows: $$('tr[data-scenario]', body)}));
const kFirstRows = 24;  // more than a screen shows; the others follow after the next picture

function filter() {
  if (!state.q) return {fits: rows.map(() => true), error: null};
  try {
    const holds = queries.parse(state.q, queryWords());
    return {fits: data().scenarios.map(row => holds(row, row.cells.flat())), error: null};
  } catch (error) {
    if (error.what === undefined) throw error;
    return {fits: rows.map(() => true), error};
  }
}

let answer = 0;  // the number of the last one: rows of an earlier answer come no more
function showRows(fits) {
  const number = ++answer;
  rows.forEach((tr, at) => { if (!fits[at]) tr.hidden = true; });
  const todo = rows.filter((tr, at) => fits[at] && tr.hidden);
  const come = list => {
    if (number !== answer) return;
    for (const tr of list) tr.hidden = false;
    for (const {body, rows: mine} of bodies) body.hidden = mine.every(tr => tr.hidden);
  };
  come(todo.slice(0, kFirstRows));
  if (todo.length > kFirstRows) {
    requestAnimationFrame(() => setTimeout(() => come(todo.slice(kFirstRows))));
  }
}

draw.matrix = () => {
  const {fits, error} = filter();
  const count = fits.filter(Boolean).length;
  $('#q-says').textContent = error ? error.message : `${count} of ${rows.length} scenarios`;
  $('#q-says').classList.toggle('wrong', error !== null);
  $('#q').setAttribute('aria-invalid', error !== null);
  $('#none').hidden = count > 0;
  if ($('#q').value.trim() !== state.q) $('#q').value = state.q;
  const press = (button, on) => button.setAttribute('aria-pressed', on);
  for (const b of $$('[data-loop]', form)) press(b, !state.hide.has(b.dataset.loop));
  for (const b of $$('[data-platform]', form)) press(b, !state.off.has(b.dataset.platform));
  for (const b of $$('[data-outcome]', form)) press(b, askedOutcomes().has(b.dataset.outcome));
  for (const b of $$('[data-term]', form)) press(b, terms().includes(b.dataset.term));
  if ($('#absent')) press($('#absent'), state.absent);
  showRows(fits);
};

// The buttons write a query; the field shows it, so that a reader learns the language by the way.
const terms = () => state.q.split(/\s+/).filter(Boolean);
const outcomeTerm = /^\*:([a-z,]+)$/;
const askedOutcomes = () => new Set(terms().flatMap(term =>
  outcomeTerm.exec(term)?.[1].split(',') ?? []));
const flip = (set, key) => set.delete(key) || set.add(key);

form.addEventListener('input', () => {
  state.q = $('#q').value.trim();
  changed();
});
form.addEventListener('submit', event => event.preventDefault());
form.addEventListener('reset', event => {
  event.preventDefault();
  Object.assign(state, {q: '', hide: new Set(), off: new Set()});
  changed();
});
form.addEventListener('click', event => {
  const {loop, platform, outcome, term} = event.target.closest('button')?.dataset ?? {};
  if (loop) flip(state.hide, loop);
  if (platform !== undefined) flip(state.off, platform);
  if (outcome) {
    const asked = askedOutcomes();
    flip(asked, outcome);
    const others = terms().filter(word => !outcomeTerm.test(word));
    state.q = [...others, ...(asked.size ? [`*:${[...asked].join(',')}`] : [])].join(' ');
  }
  if (term) {
    const words = terms();
    state.q = (words.includes(term) ? words.filter(w => w !== term) : [...words, term]).join(' ');
  }
  if (loop || platform !== undefined || outcome || term) changed();
});

$('#absent')?.addEventListener('click', () => {
  state.absent = !state.absent;
  changed();
});

const cellOf = td => {
  const tr = td.parentElement, column = [...tr.children].indexOf(td) - 2;
  const repeats = column < 0 ? [] :
    data().scenarioOf.get(tr.dataset.scenario)?.cells[column] ?? [];
  return repeats.find(cell => cell.outcome === td.textContent) ?? repeats[0];
};
const matrixCell = element => element.closest?.('.matrix.main td:not(.promise)');
matrix.addEventListener('click', event => {
  const td = matrixCell(event.target);
  const cell = td && cellOf(td);
  if (cell) goTo(cell.anchor);
});

// One cell of the matrix is a stop of the tab key; the arrows move it.
let stop = $('td:not(.promise)', rows[0] ?? matrix);
if (stop) stop.tabIndex = 0;
function moveStop(td) {
  if (!td) return;
  stop.removeAttribute('tabindex');
  stop = td;
  stop.tabIndex = 0;
  stop.focus();
}
const seen = element => element.offsetParent !== null;
matrix.addEventListener('keydown', event => {
  const td = matrixCell(event.target);
  if (!td || event.ctrlKey || event.metaKey || event.altKey) return;
  const tr = td.parentElement, column = [...tr.children].indexOf(td);
  const line = [...tr.children].filter(other => other.matches('td:not(.promise)') && seen(other));
  const step = by => () => moveStop(line[line.indexOf(td) + by]);
  const jump = by => () => {
    const shown = rows.filter(seen);
    moveStop(shown[Math.min(Math.max(shown.indexOf(tr) + by, 0), shown.length - 1)]
      ?.children[column]);
  };
  const keys = {
    ArrowLeft: step(-1), ArrowRight: step(1), ArrowUp: jump(-1), ArrowDown: jump(1),
    PageUp: jump(-20), PageDown: jump(20), Home: () => moveStop(line[0]),
    End: () => moveStop(line.at(-1)), Enter: () => td.click(),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
