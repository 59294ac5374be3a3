// One event stream for all tabs of a browser (HTTP/1.1 allows six connections): the tab that holds the lock keeps it open and
// tells the others. A page asks for it with `data-live="on"` on the document and a `switchyard:live` event, and hears of
// changes as `switchyard:change` events. A browser without locks (no TLS) has a stream for each tab.
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 60_000;
let asked = null;

/** Hands the words of the stream to this tab's page. */
const tell = (text) => dispatchEvent(new CustomEvent('switchyard:change', { detail: text }));

function begin(stopped) {
  const channel = new BroadcastChannel('switchyard-live');
  const tab = Math.random();
  let state = null;
  let again = () => undefined;
  const share = (text) => {
    channel.postMessage({ text });
    tell(text);
  };
  channel.onmessage = ({ data }) => {
    if (data.who !== undefined) {
      // Only the tab with the stream knows; the new one was painted a moment ago and reads anew.
      if (state) channel.postMessage({ to: data.who, text: state });
    } else if (data.again) again();
    else if (data.to === undefined || data.to === tab) tell(data.text);
  };
  // Whoever learns first that the console answers again has the tab with the stream connect at once.
  const reconnect = () => {
    again();
    channel.postMessage({ again: true });
  };
  addEventListener('switchyard:connected', reconnect, { signal: stopped });
  stopped.addEventListener('abort', () => channel.close(), { once: true });
  channel.postMessage({ who: tab });

  const listen = () =>
    new Promise((ended) => {
      let source;
      let timer;
      let pause = FIRST_PAUSE;
      const become = (kind) => {
        state = JSON.stringify({ kind });
        share(state);
      };
      const connect = () => {
        source = new EventSource('/events');
        source.onopen = () => {
          pause = FIRST_PAUSE;
          become('open');
        };
        source.onmessage = ({ data }) => share(data);
        source.onerror = () => {
          become('lost');
          // The browser tries again by itself unless it was refused: then the server is restarting, or nobody is signed in.
          if (source.readyState === EventSource.CLOSED) {
            timer = setTimeout(connect, pause);
            pause = Math.min(pause * 2, LONGEST_PAUSE);
          }
        };
      };
      const end = () => {
        clearTimeout(timer);
        source?.close();
        ended();
      };
      again = () => {
        if (source.readyState === EventSource.OPEN) return;
        clearTimeout(timer);
        source.close();
        pause = FIRST_PAUSE;
        connect();
      };
      if (stopped.aborted) return ended();
      stopped.addEventListener('abort', end, { once: true });
      connect();
    });
  if (navigator.locks) navigator.locks.request('switchyard-live', { signal: stopped }, listen).catch(() => undefined);
  else listen();
}

function follow() {
  const wanted = document.documentElement.dataset.live === 'on';
  if (wanted && !asked) {
    asked = new AbortController();
    begin(asked.signal);
  } else if (!wanted && asked) {
    asked.abort();
    asked = null;
  }
}
addEventListener('switchyard:live', follow);

// What the pointer or the focus is on must not move: the page asks which row that is each time it may have changed.
const onRow = () => setTimeout(() => dispatchEvent(new Event('switchyard:row')));
for (const move of ['pointerover', 'focusin', 'focusout']) addEventListener(move, onRow, { passive: true });
document.addEventListener('pointerleave', onRow);
follow();
