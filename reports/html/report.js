// Filters for people who have scripts. Without them the page says the same, unfiltered.
'use strict';
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = $('#filters'), matrix = $('.matrix:not(.api)');
  if (!form || !matrix) return;

  const state = {q: '', hide: new Set(), only: new Set(), diff: false, look: false, at: ''};
  const heads = $$('thead th[data-loop]', matrix).map(th => th.dataset.loop);
  const rows = $$('tr[data-scenario]', matrix).map(tr => ({
    tr,
    id: tr.dataset.scenario,
    text: tr.textContent.toLowerCase(),
    cells: $$('td:not(.promise)', tr),
  }));
  // The loop itself was put to the test: the others say nothing about it.
  const judged = new Set(['pass', 'diverges', 'fail', 'leak', 'hang', 'crash']);
  const sections = new Map($$('details.scenario').map(d => [d.dataset.scenario, d]));
  for (const row of rows) {
    const section = sections.get(row.id);
    if (section) row.text += ' ' + $('.terms', section).textContent.toLowerCase();
  }
  const columns = document.createElement('style');
  document.head.append(columns);

  // The state lives in the hash as #q=...&hide=...&only=...&diff&look&at=<anchor>.
  const read = () => {
    const raw = location.hash.slice(1);
    const known = /^(q|hide|only|diff|look|at)(=|&|$)/.test(raw);
    const params = new URLSearchParams(known ? raw : '');
    const list = key => new Set((params.get(key) || '').split(',').filter(Boolean));
    state.q = params.get('q') || '';
    state.hide = list('hide');
    state.only = list('only');
    state.diff = params.has('diff');
    state.look = params.has('look');
    state.at = known ? params.get('at') || '' : raw;
  };
  const write = push => {
    const params = new URLSearchParams();
    if (state.q) params.set('q', state.q);
    if (state.hide.size) params.set('hide', [...state.hide].join(','));
    if (state.only.size) params.set('only', [...state.only].join(','));
    if (state.diff) params.set('diff', '1');
    if (state.look) params.set('look', '1');
    const filtered = params.size > 0 || [...params].length > 0;
    if (filtered && state.at) params.set('at', state.at);
    const hash = filtered ? '#' + params : state.at ? '#' + state.at : '';
    history[push ? 'pushState' : 'replaceState'](null, '', location.pathname + location.search + hash);
  };

  const matches = row => {
    const cells = row.cells.filter((_, i) => !state.hide.has(heads[i]));
    const outcomes = cells.map(td => td.dataset.o).filter(Boolean);
    if (state.q && !state.q.toLowerCase().split(/\s+/).every(word => row.text.includes(word))) return false;
    if (state.only.size && !outcomes.some(o => state.only.has(o))) return false;
    if (state.look && !cells.some(td => td.classList.contains('look'))) return false;
    return !state.diff || new Set(outcomes.filter(o => judged.has(o))).size > 1;
  };
  const hideColumns = () => {
    const rules = [];
    heads.forEach((loop, i) => {
      if (!state.hide.has(loop)) return;
      rules.push(`.matrix:not(.api) tr > :nth-child(${i + 3})`, `.matrix.api tr > :nth-child(${i + 3})`,
                 `[data-loop="${CSS.escape(loop)}"]:is(li, article, tr, td)`);
    });
    columns.textContent = rules.length ? `${rules.join(',')}{display:none}` : '';
  };
  const apply = () => {
    let shown = 0;
    for (const row of rows) {
      const fits = matches(row);
      row.tr.hidden = !fits;
      const section = sections.get(row.id);
      if (section) section.hidden = !fits;
      if (fits) ++shown;
    }
    for (const body of $$('tbody', matrix)) body.hidden = !$('tr[data-scenario]:not([hidden])', body);
    hideColumns();
    $('#none').hidden = shown > 0;
    $('#shown').textContent = `${shown} of ${rows.length} scenarios`;
    $('#q').value = state.q;
    for (const b of $$('[data-filter-loop]', form)) b.setAttribute('aria-pressed', !state.hide.has(b.dataset.filterLoop));
    for (const b of $$('[data-filter-outcome]', form)) b.setAttribute('aria-pressed', state.only.has(b.dataset.filterOutcome));
    $('#diff').setAttribute('aria-pressed', state.diff);
    $('#look').setAttribute('aria-pressed', state.look);
  };
  const go = () => {
    for (const old of $$('.at')) old.classList.remove('at');
    const target = state.at && document.getElementById(state.at);
    if (!target) return;
    for (let up = target; up; up = up.parentElement) {
      if (up.tagName === 'DETAILS') up.open = true;
      if (up.hidden) up.hidden = false;
    }
    if (target.matches('tr, .panel, .scenario')) target.classList.add('at');
    target.scrollIntoView();
    if (!target.matches('section')) {
      target.setAttribute('tabindex', '-1');
      target.focus({preventScroll: true});
    }
  };
  const flip = (set, key) => set.has(key) ? set.delete(key) : set.add(key);

  form.addEventListener('input', () => { state.q = $('#q').value.trim(); write(); apply(); $('#q').value = $('#q').value; });
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('reset', event => {
    event.preventDefault();
    Object.assign(state, {q: '', hide: new Set(), only: new Set(), diff: false, look: false});
    write(); apply();
  });
  form.addEventListener('click', event => {
    const button = event.target.closest('button[type=button]');
    if (!button) return;
    if (button.dataset.filterLoop) flip(state.hide, button.dataset.filterLoop);
    if (button.dataset.filterOutcome) flip(state.only, button.dataset.filterOutcome);
    if (button.id === 'diff') state.diff = !state.diff;
    if (button.id === 'look') state.look = !state.look;
    write(); apply();
  });
  document.addEventListener('click', event => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    state.at = decodeURIComponent(link.getAttribute('href').slice(1));
    write(true); go();
  });
  addEventListener('popstate', () => { read(); apply(); go(); });

  for (const line of $$('.rerun')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText($('code', line).textContent);
        button.textContent = 'copied';
      } catch {
        getSelection().selectAllChildren($('code', line));
        button.textContent = 'selected';
      }
    });
    line.append(button);
  }

  const started = Date.parse($('.lead time')?.dateTime);
  const minutes = Math.round((Date.now() - started) / 60000);
  if (minutes >= 0) {
    const [n, unit] = minutes < 120 ? [minutes, 'minute'] : minutes < 2880 ? [Math.round(minutes / 60), 'hour'] : [Math.round(minutes / 1440), 'day'];
    $('#age').textContent = `, ${n} ${unit}${n === 1 ? '' : 's'} ago`;
  }

  form.hidden = false;
  read(); apply(); go();
})();
