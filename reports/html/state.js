// What the reader looks at, kept in the address: #matrix&q=udp&hide=select&off=macos-arm64.
const views = $$('main > section[id]').map(section => section.id);
const state = {at: '', q: '', hide: new Set(), off: new Set(), need: new Set(), differ: false,
               absent: false, keys: true};

function readAddress() {
  const [at, ...rest] = location.hash.slice(1).split('&');
  const params = new URLSearchParams(rest.join('&'));
  const list = key => new Set((params.get(key) ?? '').split(',').filter(Boolean)
    .map(decodeURIComponent));
  try {
    state.at = decodeURIComponent(at);
  } catch {
    state.at = '';  // written by hand, and not well
  }
  state.q = params.get('q') ?? '';
  state.hide = list('hide');
  state.off = list('off');
  state.need = list('need');
  state.differ = params.has('differ');
  state.absent = params.has('absent');
  state.keys = params.get('keys') !== 'off';
}

function address() {
  const params = new URLSearchParams();
  if (state.q) params.set('q', state.q);
  for (const key of ['hide', 'off', 'need']) {
    if (state[key].size) params.set(key, [...state[key]].map(encodeURIComponent).join(','));
  }
  if (state.differ) params.set('differ', '1');
  if (state.absent) params.set('absent', '1');
  if (!state.keys) params.set('keys', 'off');
  return `#${[encodeURI(state.at || 'attention'), ...(params.size ? [params] : [])].join('&')}`;
}

function writeAddress(push) {
  if (address() === location.hash) return;
  history[push ? 'pushState' : 'replaceState'](null, '', address());
}

/// The view that an anchor is part of, and the element to go to.
function placeOf(at) {
  if (at.startsWith('c.') || at.startsWith('s.')) return {view: 'cells', target: null};
  const target = document.getElementById(at);
  const view = target?.closest('main > section[id]')?.id ?? 'attention';
  return {view: views.includes(view) ? view : 'attention', target};
}

function changed({push = false, focus = false} = {}) {
  writeAddress(push);
  show(focus);
}

/// Draws what the state says. Elements that a reader went to get the focus.
function show(focus) {
  const {view, target} = placeOf(state.at);
  for (const section of $$('main > section[id]')) {
    section.classList.toggle('on', section.id === view);
  }
  for (const link of $$('.bar a')) {
    if (link.hash === `#${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  $('.head').classList.toggle('brief', view !== 'attention');
  draw[view]?.(focus);
  hideColumns(document.getElementById(view));
  for (const old of $$('.at')) old.classList.remove('at');
  if (!target) return;
  for (let up = target; up; up = up.parentElement) if (up.tagName === 'DETAILS') up.open = true;
  if (target.matches('tr, .fact')) target.classList.add('at');
  if (focus) {
    target.setAttribute('tabindex', '-1');
    target.focus({preventScroll: true});
  }
  if (target.matches('main > section')) scrollTo(0, 0);
  else {
    const tall = target.offsetHeight > innerHeight / 2;
    target.scrollIntoView({block: tall ? 'start' : 'center'});
  }
}

/// One function for each view that is more than what the page's file has.
const draw = {};

// Columns of loops and platforms that the reader put away. Each cell is hidden by itself: a style
// sheet that changes has the browser look at all that the page shows.
const columnHeads = $$('.matrix.main thead th[data-loop]').map(th => ({
  ...th.dataset, absent: th.classList.contains('absent')}));
const isOff = ({loop, platform, absent}) => state.hide.has(loop) || state.off.has(platform) ||
  (absent && !state.absent);
const hiddenIn = new Map($$('.matrix').map(table => [table, columnHeads.map(() => false)]));

function hideIn(table) {
  const was = hiddenIn.get(table);
  const changed = columnHeads.flatMap((head, at) => isOff(head) === was[at] ? [] : [at]);
  if (changed.length === 0) return;
  for (const at of changed) was[at] = !was[at];
  for (const {children} of $$('tr:not(.legs, .group)', table)) {
    for (const at of changed) children[at + 2].hidden = was[at];
  }
  for (const th of $$('.legs th', table)) {
    const left = columnHeads.filter(head =>
      head.platform === th.dataset.platform && !isOff(head)).length;
    th.hidden = left === 0;
    if (left) th.colSpan = left;
    th.style.setProperty('--span', left);
  }
}
/// In the head, and in the view that is shown.
function hideColumns(view) {
  const table = $('.matrix', view);
  if (table) hideIn(table);
  for (const part of [$('.head'), ...(table ? [] : [view])]) {
    for (const element of $$(':is(li, tr, td, th):is([data-loop], [data-platform])', part)) {
      const {loop, platform} = element.dataset;
      element.hidden = state.hide.has(loop) || state.off.has(platform);
    }
  }
}
