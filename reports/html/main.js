// Where clicks and keys lead, and the start.
function goTo(at) {
  state.at = at;
  changed({push: true, focus: true});
}

document.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  event.preventDefault();
  goTo(decodeURIComponent(link.getAttribute('href').slice(1)));
});
addEventListener('popstate', () => {
  readAddress();
  show(true);
});

draw.facts = () => {
  const button = $('#facts-differ');
  if (!button) return;
  button.setAttribute('aria-pressed', state.differ);
  $('table.facts').classList.toggle('only-odd', state.differ);
};
$('#facts-differ')?.addEventListener('click', () => {
  state.differ = !state.differ;
  changed();
});

draw.legend = () => { $('#keys-on').checked = state.keys; };
$('#keys-on').addEventListener('change', event => {
  state.keys = event.target.checked;
  changed();
});

// Single keys; the legend lists them, and can turn them off.
const walk = which => () => {
  const link = $(`.walk .${which}`);
  if (state.at.startsWith('c.') || state.at.startsWith('s.')) link?.click();
  else if (unexpected().length) goTo(unexpected().at(which === 'next' ? 0 : -1).anchor);
};
const keys = {
  '/': () => {
    if (placeOf(state.at).view !== 'matrix') goTo('matrix');
    $('#q').focus();
  },
  n: walk('next'), p: walk('prev'), m: () => goTo('matrix'), '?': () => goTo('legend'),
};
views.forEach((view, at) => { if (at < 9) keys[at + 1] = () => goTo(view); });
document.addEventListener('keydown', event => {
  const typing = event.target.closest('input:not([type=checkbox]), textarea, select');
  if (event.key === 'Escape' && typing) return event.target.blur();
  if (!state.keys || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

const started = Date.parse($('.lead time')?.dateTime);
const minutes = Math.round((Date.now() - started) / 60000);
if (minutes >= 0) {
  const [n, unit] = minutes < 120 ? [minutes, 'minute'] :
    minutes < 2880 ? [Math.round(minutes / 60), 'hour'] : [Math.round(minutes / 1440), 'day'];
  $('#age').textContent = `, ${n} ${unit}${n === 1 ? '' : 's'} ago`;
}

for (const each of $$('form[hidden], .scripted[hidden]')) each.hidden = false;
readAddress();
show(location.hash !== '');
