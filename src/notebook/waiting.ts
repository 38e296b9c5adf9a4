/** What stands in a cell while a result is awaited: how long it has taken, and how far it is when that is known. */
import {
  formatSeconds,
  type OnProgress,
  ProgressClock,
  type ProgressEvent,
  type ProgressState,
  progressText,
} from "../core/index.js";
import type { Display, DisplayBundle } from "./display.js";
import { LivePicture } from "./live-picture.js";

/** Results that come within this time show no waiting line, ms. */
const patienceMs = 400;
/** Least time between two states, ms: four a second, and two when they carry a picture. */
const intervalMs = 250;
const pictureIntervalMs = 500;
/** Time between two states when there is no news, ms. */
const tickMs = 1000;

/** The latest event, and what it says of speed. */
export interface News {
  readonly event: ProgressEvent;
  readonly state: ProgressState;
}

/** An output that waits for a result. */
export interface Waiting {
  readonly onProgress: OnProgress;
  /** Ends waiting with the output itself; it takes the place of the waiting line when there is one. */
  finish(bundle: DisplayBundle): Promise<void>;
  /** Ends waiting without a result. */
  fail(): Promise<void>;
}

/** Starts to wait, until `signal` at the latest; the line appears only if the result does not come soon. */
export function startWaiting(display: Display, id: string, signal?: AbortSignal): Waiting {
  const start = performance.now();
  const clock = new ProgressClock();
  const picture = new LivePicture();
  let news: News | undefined;
  let isShown = false;
  let lastTime = start;
  let sending: Promise<void> = Promise.resolve();
  /** States are sent one after the other, so that none overtakes another. */
  const send = (bundle: DisplayBundle, withSlot: boolean): Promise<void> => {
    const slot = withSlot ? { id, isUpdate: isShown } : undefined;
    isShown ||= withSlot;
    lastTime = performance.now();
    sending = sending.then(() => display(bundle, slot));
    return sending;
  };
  const seconds = (): number => (performance.now() - start) / 1000;
  const tick = (): void =>
    void send(waitingBundle(news, seconds(), picture.read(news?.event)), true).catch(() => undefined);
  let timer: ReturnType<typeof setInterval> | undefined;
  const first = setTimeout(() => {
    tick();
    timer = setInterval(() => {
      if (performance.now() - lastTime >= tickMs - 50) tick();
    }, tickMs);
  }, patienceMs);
  const stop = (): void => {
    clearTimeout(first);
    clearInterval(timer);
  };
  signal?.addEventListener("abort", stop, { once: true });
  return {
    onProgress(next) {
      news = { event: next, state: clock.read(next) };
      const interval = picture.isDrawn ? pictureIntervalMs : intervalMs;
      if (isShown && performance.now() - lastTime >= interval) tick();
    },
    finish(bundle) {
      stop();
      return send(bundle, isShown);
    },
    async fail() {
      stop();
      if (isShown) await send(failedBundle(news, seconds(), picture.read(news?.event)), true);
    },
  };
}

/** Returns the waiting line: a bar when the total is known, else the seconds; under it the result so far. */
export function waitingBundle(news: News | undefined, seconds: number, picture = ""): DisplayBundle {
  const text = waitingText(news, seconds);
  const fraction = news?.state.fraction;
  const bar =
    fraction === undefined
      ? "<progress></progress>"
      : `<progress max="1" value="${Number(fraction.toFixed(4))}"></progress>`;
  return { "text/html": `<div>${bar} <span>${escapeText(text)}</span></div>${picture}`, "text/plain": text };
}

function failedBundle(news: News | undefined, seconds: number, picture: string): DisplayBundle {
  const text = `stopped after ${elapsed(seconds)}${news === undefined ? "" : `: ${progressText(news.event, news.state)}`}`;
  return { "text/html": `<div>${escapeText(text)}</div>${picture}`, "text/plain": text };
}

/** Returns `read files 12/40 (30%), 4/s, 7 s left; running for 3 s`. */
function waitingText(news: News | undefined, seconds: number): string {
  const time = `running for ${elapsed(seconds)}`;
  return news === undefined ? time : `${progressText(news.event, news.state)}; ${time}`;
}

function elapsed(seconds: number): string {
  return formatSeconds(Math.floor(seconds));
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
