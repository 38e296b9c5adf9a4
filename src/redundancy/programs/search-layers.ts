/**
 * A chain of layers for each question: layers skipped or run again, found by Monte Carlo tree search (CoLa).
 *
 * A program is a list of layers. From one, an action skips up to four consecutive entries, or runs up to four consecutive ones two
 * to four times. The reward is 1 where the right choice is the likeliest. Chains are chosen by
 * `R / v + c √(ln V / v) − λ |program| / layers`. What a program answers is never computed twice.
 *
 * Such a search selects luck: the best of N programs is right more often than one. The control is the best of as many random
 * programs, drawn by the same actions from the start.
 */
import {
  createRandom,
  InputError,
  type LongCallOptions,
  printsItself,
  progressOf,
  type Random,
  throwIfAborted,
} from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { scatter, type View } from "../../viz/index.js";
import { type Choice, choiceMargins } from "../evaluate/choices.js";

/** Options of {@link searchLayers}. */
export interface SearchLayersOptions extends LongCallOptions {
  /** Programs that are tried for each question, the whole model included. Default 50. */
  readonly simulations?: number;
  /** c: how much untried programs count. Default 1.4. */
  readonly exploration?: number;
  /** λ: how much a program's length costs. Default 0.3. */
  readonly lengthCost?: number;
  /** Most entries of a program, as a multiple of the layers. Default 2. */
  readonly longest?: number;
  readonly seed?: number;
}

/** What was found for one question. */
export interface LayerChain {
  readonly prompt: string;
  /** Whether the whole model is right. */
  readonly isRight: boolean;
  /** The shortest program that is right, the whole model included; absent where none was. */
  readonly chain?: readonly number[];
  /** The shortest right one among as many random programs. */
  readonly control?: readonly number[];
}

/** Chains for all questions. Immutable. */
export class LayerChains {
  static {
    printsItself(this.prototype);
  }

  readonly layers: number;
  readonly simulations: number;
  readonly items: readonly LayerChain[];

  /** @internal Use `searchLayers`. */
  constructor(parts: Readonly<Pick<LayerChains, "items" | "layers" | "simulations">>) {
    this.layers = parts.layers;
    this.simulations = parts.simulations;
    this.items = parts.items;
  }

  /** Share of questions that the whole model, some program found by search, and some random program answers. */
  get accuracy(): { readonly whole: number; readonly searched: number; readonly random: number } {
    const share = (test: (item: LayerChain) => boolean): number => this.items.filter(test).length / this.items.length;
    return {
      whole: share(({ isRight }) => isRight),
      searched: share(({ chain }) => chain !== undefined),
      random: share(({ control }) => control !== undefined),
    };
  }

  /** Of the questions that the whole model answers, the share with a shorter program, by search and at random. */
  get shorter(): { readonly searched: number; readonly random: number } {
    const right = this.items.filter(({ isRight }) => isRight);
    const share = (pick: (item: LayerChain) => readonly number[] | undefined): number =>
      right.filter((item) => (pick(item)?.length ?? this.layers) < this.layers).length / right.length;
    return { searched: share(({ chain }) => chain), random: share(({ control }) => control) };
  }

  /** Draws the length of the shortest right program of each question, searched against random. */
  toView(): View {
    const both = this.items.filter(({ chain, control }) => chain !== undefined && control !== undefined);
    return scatter(
      both.map(({ control }) => control?.length ?? 0),
      both.map(({ chain }) => chain?.length ?? 0),
      {
        title: "Shortest right chain of each question",
        note: `${this.layers} layers; ${this.simulations} programs a question`,
        x: { name: "best of random programs, layers" },
        y: { name: "found by search, layers" },
        labels: both.map(({ prompt }) => prompt),
      },
    );
  }

  /** Returns accuracies and lengths, with the control beside them. */
  toString(): string {
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    const { accuracy, shorter } = this;
    return [
      `LayerChains of ${this.items.length} questions, ${this.simulations} programs each:`,
      `  whole model right ${percent(accuracy.whole)}; some program right ${percent(accuracy.searched)} by search, ${percent(accuracy.random)} at random`,
      `  of those that the whole model answers, a shorter program does in ${percent(shorter.searched)} by search, ${percent(shorter.random)} at random`,
    ].join("\n");
  }
}

type Program = readonly number[];

const mostBlock = 4;

/** All programs that one action away from a program, without repeats and not empty. */
export function nextPrograms(program: Program, longest: number): readonly Program[] {
  const found = new Map<string, Program>();
  const add = (next: Program): void => {
    if (next.length > 0 && next.length <= longest) found.set(next.join(), next);
  };
  for (let from = 0; from < program.length; from++)
    for (let size = 1; size <= mostBlock && from + size <= program.length; size++) {
      const [before, block, after] = [
        program.slice(0, from),
        program.slice(from, from + size),
        program.slice(from + size),
      ];
      add([...before, ...after]);
      // Once is the program as it is.
      for (let times = 2; times <= mostBlock; times++)
        add([...before, ...Array.from({ length: times }, () => block).flat(), ...after]);
    }
  return [...found.values()];
}

/** A program in the tree. */
interface Node {
  readonly program: Program;
  readonly parent: Node | undefined;
  /** Actions that were not tried, in random order. */
  readonly untried: Program[];
  readonly children: Node[];
  visits: number;
  reward: number;
}

interface Tree {
  readonly longest: number;
  readonly random: Random;
}

function makeNode(program: Program, parent: Node | undefined, { longest, random }: Tree): Node {
  const untried = [...random.shuffle([...nextPrograms(program, longest)])];
  return { program, parent, untried, children: [], visits: 0, reward: 0 };
}

interface Weights {
  readonly exploration: number;
  readonly lengthCost: number;
  readonly layers: number;
}

function worth({ reward, visits, program }: Node, all: number, { exploration, lengthCost, layers }: Weights): number {
  return reward / visits + exploration * Math.sqrt(Math.log(all) / visits) - (lengthCost * program.length) / layers;
}

/** Goes down to a node with an action left, and takes it. Progressive widening keeps a node from having all its children at once. */
function expand(root: Node, tree: Tree, weights: Weights): Node {
  let node = root;
  while (node.children.length > 0 && (node.untried.length === 0 || node.children.length > Math.sqrt(node.visits))) {
    const { visits } = node;
    node = node.children.reduce((a, b) => (worth(b, visits, weights) > worth(a, visits, weights) ? b : a));
  }
  const next = node.untried.pop();
  if (next === undefined) return node;
  const child = makeNode(next, node, tree);
  node.children.push(child);
  return child;
}

function giveBack(node: Node, reward: number): void {
  for (let at: Node | undefined = node; at !== undefined; at = at.parent) {
    at.visits++;
    at.reward += reward;
  }
}

/** Answers of programs to one question; each is computed once. */
class Answers {
  readonly #known = new Map<string, boolean>();
  readonly #model: Model;
  readonly #item: Choice;

  constructor(model: Model, item: Choice) {
    this.#model = model;
    this.#item = item;
  }

  async isRight(program: Program): Promise<boolean> {
    const key = program.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const [margin = Number.NaN] = await choiceMargins(this.#model, [this.#item], { layers: program });
    this.#known.set(key, margin > 0);
    return margin > 0;
  }
}

function shorter(best: Program | undefined, program: Program, isRight: boolean): Program | undefined {
  if (!isRight || (best !== undefined && best.length <= program.length)) return best;
  return program;
}

const defaults = { simulations: 50, exploration: 1.4, lengthCost: 0.3, longest: 2, seed: 0 } as const;

function checkOptions(
  items: readonly Choice[],
  { simulations, longest }: { readonly simulations: number; readonly longest: number },
): void {
  const isCount = Number.isInteger(simulations) && simulations >= 1;
  if (isCount && longest >= 1 && items.length > 0) return;
  throw new InputError({
    where: "searchLayers",
    got: `${items.length} questions, ${simulations} simulations, programs of ${longest} times the layers`,
    expected: "one question or more, one simulation or more, and programs at least as long as the model",
    fix: "Leave the options out for 50 simulations and twice the layers.",
  });
}

interface Search extends Weights {
  readonly whole: Program;
  readonly simulations: number;
  readonly longest: number;
}

/** Searches one question, and draws as many random programs. */
async function searchItem(
  model: Model,
  item: Choice,
  search: Search & { readonly random: Random },
  { signal }: LongCallOptions,
): Promise<LayerChain> {
  const { whole, simulations } = search;
  const answers = new Answers(model, item);
  const isRight = await answers.isRight(whole);
  const root = makeNode(whole, undefined, search);
  giveBack(root, isRight ? 1 : 0);
  let best = shorter(undefined, whole, isRight);
  let control = best;
  for (let n = 1; n < simulations; n++) {
    throwIfAborted(signal, "searchLayers");
    const node = expand(root, search, search);
    const isGood = await answers.isRight(node.program);
    giveBack(node, isGood ? 1 : 0);
    best = shorter(best, node.program, isGood);
    const drawn = randomProgram(whole, search);
    control = shorter(control, drawn, await answers.isRight(drawn));
  }
  return {
    prompt: item.prompt,
    isRight,
    ...(best === undefined ? {} : { chain: best }),
    ...(control === undefined ? {} : { control }),
  };
}

/**
 * Searches, for each question, a chain of layers that answers it, with as many random chains beside it.
 *
 * @throws InputError for no questions, and options out of range; AbortedError.
 * @see Li et al. 2025, "Skip a Layer or Loop it? Test-Time Depth Adaptation of Pretrained LLMs" (chain of layers)
 */
export async function searchLayers(
  model: Model,
  items: readonly Choice[],
  options: SearchLayersOptions = {},
): Promise<LayerChains> {
  const { simulations, exploration, lengthCost, longest, seed } = { ...defaults, ...options };
  checkOptions(items, { simulations, longest });
  const whole: Program = model.view.layers;
  const layers = whole.length;
  const report = progressOf(options);
  const found: LayerChain[] = [];
  for (const [i, item] of items.entries()) {
    report?.({ done: i, total: items.length, label: "chains of layers" });
    const search = { whole, simulations, longest: longest * layers, exploration, lengthCost, layers };
    found.push(await searchItem(model, item, { ...search, random: createRandom(seed + i) }, options));
  }
  report?.({ done: items.length, total: items.length, label: "chains of layers" });
  return new LayerChains({ layers, simulations, items: found });
}

/** A program one to three random actions away from the whole model. */
function randomProgram(whole: Program, { longest, random }: Tree): Program {
  let program = whole;
  for (let actions = random.int(1, 4); actions > 0; actions--) {
    const all = nextPrograms(program, longest);
    program = all[random.int(0, all.length)] ?? program;
  }
  return program;
}
