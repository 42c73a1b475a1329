// Keeps a page true while it is open: the stream of events says that something changed, the server renders the page
// again, and what is different is put in place. Nothing here makes markup, and nothing is asked for more often than
// once a second, however much changes.
'use strict';

const PAUSE_MS = 1_000; // between two renderings, so that a busy fleet costs no more than a quiet one
const AGING_MS = 10_000; // ages and the exporter's own health change without an event
const RETRY_MS = 15_000; // until a stream that was refused is opened again
const WAIT_MS = 15_000; // for an answer
const SPOKEN_MS = 15_000; // between two sentences to a screen reader

const events = document.currentScript.dataset.events;
let stream, request, timer, stale = false, isPaused = false, askedAt = 0, spokenAt = 0;

addEventListener('DOMContentLoaded', () => {
  const pause = document.getElementById('pause');
  document.getElementById('live-state').hidden = false;
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', isPaused);
    follow();
  });
  document.addEventListener('visibilitychange', follow);
  addEventListener('pageshow', (shown) => shown.persisted && follow());
  addEventListener('pagehide', leave);
  askedAt = performance.now();
  follow(true);
});

// Listens while somebody can see it. A stream that breaks comes back by itself, with the id of the last event.
function follow(isFresh = false) {
  leave();
  if (isPaused || document.hidden) return tell(isPaused ? 'Paused' : '');
  stream = new EventSource(events);
  stream.onopen = () => tell('Live');
  stream.onmessage = () => refresh();
  stream.addEventListener('reset', () => refresh());
  stream.onerror = () => {
    tell('Reconnecting');
    if (stream.readyState === EventSource.CLOSED) later(RETRY_MS, () => follow());
  };
  if (isFresh === true) later(AGING_MS, ask);
  else refresh();
}

function leave() {
  stream?.close();
  request?.abort();
  clearTimeout(timer);
  stream = request = timer = undefined;
  stale = false;
}

function later(milliseconds, what) {
  clearTimeout(timer);
  timer = setTimeout(what, milliseconds);
}

// Asks for the page as soon as it may.
function refresh() {
  if (stale) return;
  stale = true;
  if (!request) later(Math.max(0, askedAt + PAUSE_MS - performance.now()), ask);
}

// The browser itself makes a document of the answer, one in which no script runs.
function ask() {
  stale = false;
  const asked = new XMLHttpRequest();
  request = asked;
  asked.open('GET', location.href.split('#')[0]);
  asked.responseType = 'document';
  asked.timeout = WAIT_MS;
  asked.onload = () => {
    const main = asked.response?.getElementById('main');
    if (main) show(asked.response, main);
    done(main ? undefined : 'Not answering');
  };
  asked.onerror = asked.ontimeout = () => done('Not answering');
  asked.send();
}

function done(trouble) {
  request = undefined;
  askedAt = performance.now();
  if (trouble) tell(trouble);
  else if (stream?.readyState === EventSource.OPEN) tell('Live');
  if (stream?.readyState === EventSource.CLOSED) return later(RETRY_MS, () => follow());
  later(stale ? PAUSE_MS : AGING_MS, ask);
}

function show(newest, main) {
  const focused = document.activeElement;
  const section = focused?.closest('section');
  const here = document.getElementById('main');
  match(here, main);
  document.title = newest.title;
  // What was focused may have moved, or have left with its row.
  if (focused && focused !== document.activeElement && focused !== document.body) {
    const next = focused.isConnected ? focused : section?.querySelector('h2');
    next?.focus({ preventScroll: true });
  }
  say(here.dataset.summary);
}

// Makes a node like the newest one, and keeps every part of it that is the same: focus, selection and scrolling stay.
function match(old, newest) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== newest.data) old.data = newest.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!newest.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of newest.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const wanted = new Set([...newest.children].map(({ id }) => id).filter(Boolean));
  const known = new Map([...old.children].filter(({ id }) => id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const child of [...newest.childNodes]) {
    while (place?.id && !wanted.has(place.id)) place = removed(place);
    const same = child.id ? known.get(child.id) : place;
    if (!same || same.nodeName !== child.nodeName || (!child.id && same.id)) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    match(same, child);
  }
  while (place) place = removed(place);
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function tell(state) {
  const connection = document.getElementById('connection');
  connection.textContent = state;
  connection.dataset.state = state;
}

// One sentence when the numbers changed, and none too often.
function say(summary) {
  const spoken = document.getElementById('summary');
  if (spoken.textContent === summary || performance.now() < spokenAt + SPOKEN_MS) return;
  spokenAt = performance.now();
  spoken.textContent = summary;
}
