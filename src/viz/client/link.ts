/** Views of one link choose together; the page's document carries the message. */
import type { ViewHeader } from "../spec.js";

const eventName = "limpid-choose";

interface Choice {
  readonly link: string;
  readonly view: string;
  readonly target: number | undefined;
  readonly from: HTMLElement;
}

/** Tells the other views what was chosen here. */
export function tellChoice(spec: ViewHeader, target: number | undefined, from: HTMLElement): void {
  if (spec.link === undefined) return;
  const detail: Choice = { link: spec.link, view: spec.view, target, from };
  document.dispatchEvent(new CustomEvent(eventName, { detail }));
}

/** Calls `choose` with what another view of the same link and kind has chosen. */
export function hearChoices(spec: ViewHeader, own: HTMLElement, choose: (target: number | undefined) => void): void {
  if (spec.link === undefined) return;
  document.addEventListener(eventName, (event) => {
    const { link, view, target, from } = (event as CustomEvent<Choice>).detail;
    if (link === spec.link && view === spec.view && from !== own) choose(target);
  });
}
