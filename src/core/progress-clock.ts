/** Speed and time left of long work, from the events it reports. */
import { formatCount } from "./format.js";
import type { ProgressEvent } from "./progress.js";

/** How far work is, and how fast. */
export interface ProgressState {
  /** Share done, 0 to 1; absent when the total is unknown. */
  readonly fraction?: number;
  /** Units a second since the first event of the label; absent until there are two. */
  readonly rate?: number;
  /** Seconds left at that rate; absent when the total or the rate is unknown. */
  readonly secondsLeft?: number;
}

/** Reads events one after another; a new label starts anew, and so does a count that goes back. */
export class ProgressClock {
  readonly #now: () => number;
  #first: { readonly label: string; readonly done: number; readonly time: number } | undefined;
  #lastDone = 0;

  /** @param now - Milliseconds; injectable for tests. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Returns the state after an event. */
  read({ done, total, label }: ProgressEvent): ProgressState {
    const time = this.#now();
    if (this.#first?.label !== label || done < this.#lastDone) this.#first = { label, done, time };
    this.#lastDone = done;
    const seconds = (time - this.#first.time) / 1000;
    const rate = seconds > 0 && done > this.#first.done ? (done - this.#first.done) / seconds : undefined;
    return {
      ...(total === undefined ? {} : { fraction: total > 0 ? Math.min(1, Math.max(0, done / total)) : 1 }),
      ...(rate === undefined ? {} : { rate }),
      ...(rate === undefined || total === undefined ? {} : { secondsLeft: Math.max(0, total - done) / rate }),
    };
  }
}

/** Returns an event as text, such as `"train 120/500 (24%), loss 2.31, 31/s, 12 s left"`. */
export function progressText({ done, total, label, note }: ProgressEvent, state: ProgressState): string {
  const { fraction, rate, secondsLeft } = state;
  const isOver = total !== undefined && done >= total;
  return [
    `${label} ${done}${total === undefined ? "" : `/${total}`}${fraction === undefined ? "" : ` (${Math.floor(100 * fraction)}%)`}`,
    ...(note === undefined ? [] : [note]),
    ...(rate === undefined ? [] : [`${formatRate(rate)}/s`]),
    ...(secondsLeft === undefined || isOver ? [] : [`${formatSeconds(secondsLeft)} left`]),
  ].join(", ");
}

function formatRate(rate: number): string {
  return rate >= 100 ? formatCount(Math.round(rate)) : String(Number(rate.toPrecision(2)));
}

/** Returns a duration in the two largest units that matter: `"8 s"`, `"3 min 20 s"`, `"2 h 5 min"`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 === 0 ? "" : ` ${whole % 60} s`}`;
  const minutes = Math.floor((whole % 3600) / 60);
  return `${Math.floor(whole / 3600)} h${minutes === 0 ? "" : ` ${minutes} min`}`;
}
