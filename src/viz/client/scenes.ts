/** A view of scenes: draws one for each state, and shows what is chosen in it. */
import { type Selection, select } from "d3-selection";
import { drawContext } from "../compose.js";
import { outlineMark } from "../marks.js";
import type { ViewSpec } from "../registry.js";
import type { Theme } from "../theme.js";
import { hearChoices, tellChoice } from "./link.js";
import { createStage, type Stage } from "./mount.js";
import { listen } from "./pointing.js";
import type { State, Targets, Tip } from "./targets.js";
import { createTooltip, type Tooltip } from "./tooltip.js";
import type { Control, DeskPart, Scene, SceneView } from "./view.js";

/** Where a view of scenes stands, and how it begins. */
export interface ScenesOptions {
  readonly theme: Theme;
  /** A sentence that says what the view shows. */
  readonly summary: string;
  /** The step to which numbers were rounded, 0 when they are exact. */
  readonly rounding: number;
  /** Where menus go. */
  readonly bar: HTMLElement;
  /** Where drawing and status line go. */
  readonly content: HTMLElement;
  /** Where what stands beside the drawing goes. */
  readonly desk: HTMLElement;
}

/** A view of scenes on the page. */
export class Scenes {
  readonly #spec: ViewSpec;
  readonly #client: SceneView<ViewSpec>;
  readonly #plot: HTMLElement;
  readonly #stage: Stage;
  readonly #tooltip: Tooltip;
  readonly #status: Selection<HTMLDivElement, unknown, null, undefined>;
  #theme: Theme;
  #state: State;
  #scene: Scene;
  #chosen: number | undefined;
  #isLocked = false;
  readonly #desk: DeskPart | undefined;

  constructor(spec: ViewSpec, client: SceneView<ViewSpec>, options: ScenesOptions) {
    this.#spec = spec;
    this.#client = client;
    this.#theme = options.theme;
    const plot = select(options.content).append("div").attr("class", "plot").attr("role", "application");
    plot.attr("tabindex", 0).attr("aria-label", `${options.summary} Arrow keys move, Enter locks, Escape frees.`);
    this.#plot = plot.node() as HTMLElement;
    this.#stage = createStage(this.#plot);
    this.#tooltip = createTooltip(this.#plot, options.rounding);
    this.#status = select(options.content).append("div").attr("class", "status");
    this.#status.attr("role", "status").attr("aria-live", "polite");
    const controls = client.controls?.(spec) ?? [];
    this.#state = Object.fromEntries(controls.map(({ name, choices }) => [name, choices[0]?.[0] ?? ""]));
    for (const control of controls) addMenu(control, options.bar, (part) => this.#change(part));
    this.#scene = this.#redraw();
    this.#desk = client.desk?.(spec, options.desk, {
      state: () => this.#state,
      change: (part) => this.#change(part),
      choose: (item) => this.#chooseItem(item),
    });
    this.#listen();
  }

  /** Draws everything anew in another theme. */
  setTheme(theme: Theme): void {
    this.#theme = theme;
    this.#redraw();
  }

  #listen(): void {
    listen({
      plot: this.#plot,
      svg: this.#stage.svg,
      targets: () => this.#scene.targets,
      chosen: () => this.#chosen,
      isLocked: () => this.#isLocked,
      choose: (target) => this.#chooseHere(target),
      press: () => this.#press(),
      free: () => this.#free(),
      key: (name) => this.#desk?.key(name) ?? false,
    });
    hearChoices(this.#spec, this.#plot, (target) => this.#choose(target));
  }

  #redraw(): Scene {
    this.#scene = this.#client.scene(this.#spec, { ...drawContext(this.#theme), state: this.#state });
    this.#stage.draw(this.#scene.drawing, this.#theme);
    this.#showChosen();
    return this.#scene;
  }

  #change(part: State): void {
    this.#state = { ...this.#state, ...part };
    this.#redraw();
    this.#desk?.changed();
  }

  /** Locks the target that shows an item of the spec, if it is drawn. */
  #chooseItem(item: number): void {
    const { targets } = this.#scene;
    const target = targets?.find?.(item);
    if (target === undefined) return;
    this.#isLocked = true;
    this.#chooseHere(target);
    this.#showChosen();
  }

  #chooseHere(target: number | undefined): void {
    if (target === this.#chosen) return;
    this.#choose(target);
    tellChoice(this.#spec, target, this.#plot);
  }

  #choose(target: number | undefined): void {
    this.#chosen = target;
    this.#showChosen();
    if (target !== undefined) this.#desk?.chosen(this.#scene.targets?.item?.(target));
  }

  #press(): void {
    if (this.#chosen === undefined) return;
    const part = this.#scene.targets?.press?.(this.#chosen);
    if (part !== undefined) return this.#change(part);
    this.#isLocked = !this.#isLocked;
    this.#showChosen();
  }

  #free(): void {
    this.#isLocked = false;
    this.#chooseHere(undefined);
  }

  #showChosen(): void {
    const targets = this.#scene.targets;
    if (targets === undefined || this.#chosen === undefined) {
      this.#stage.overlay([], this.#theme);
      this.#tooltip.hide();
      this.#status.text("");
    } else this.#showTarget(targets, this.#chosen);
  }

  #showTarget(targets: Targets, target: number): void {
    const [box, tip] = [targets.box(target), targets.tip(target)];
    this.#stage.overlay(targets.overlay?.(target) ?? [outlineMark(box)], this.#theme);
    this.#tooltip.show(tip, box);
    this.#status.text(`${sentence(tip)}${this.#isLocked ? " (locked; Esc frees)" : ""}`);
  }
}

function sentence(tip: Tip): string {
  return [tip.title, ...tip.rows.map(([name, value]) => (name === "" ? value : `${name} ${value}`))].join(" · ");
}

function addMenu(control: Control, bar: HTMLElement, change: (part: State) => void): void {
  const label = select(bar).append("label").text(control.label);
  const menu = label.append("select");
  for (const [value, text] of control.choices) menu.append("option").attr("value", value).text(text);
  menu.on("change", () => change({ [control.name]: (menu.node() as HTMLSelectElement).value }));
}
