/** What of each task is trained on, and what is held out. */
import {
  type PromptPairs,
  type TaskLabels,
  type TaskOptions,
  type TaskPairs,
  type TaskPrompt,
  type TaskSource,
  tasks,
} from "../../src/data/index.js";

const { lists } = tasks;

/** Every fifth first name is never in an indirect-object sentence; it is in copied lists. */
const isHeldOutName = (_: string, index: number): boolean => index % 5 === 4;
const heldOutNames = lists.names.filter(isHeldOutName);
const namesSeen = lists.names.filter((name) => !heldOutNames.includes(name));

/** Nouns that the corpus uses in both numbers, but no agreement sentence. */
const heldOutNouns = ["officer", "captain", "friend", "judge", "member", "king"];
const nounsSeen = lists.people.filter(([noun]) => !heldOutNouns.includes(noun));
const nounsUnseen = lists.people.filter(([noun]) => heldOutNouns.includes(noun));

/** One pair of century and year in five is never the beginning of a span. */
const isHeldOutYear = ({ century, year }: TaskLabels): boolean => (Number(century) * 7 + Number(year)) % 5 === 0;

function without(templates: readonly string[], held: readonly number[]): number[] {
  return templates.map((_, index) => index).filter((index) => !held.includes(index));
}

const heldOut = { ioi: [3, 8], capitals: [3], copying: [3], brackets: [7] };

type Pairs = TaskPairs<string, TaskPrompt>;
type Make = (source: TaskSource, options: TaskOptions) => Pick<Pairs, "length" | "text"> & PromptPairs<TaskPrompt>;

/** One task as it is trained on. */
export interface TrainingTask {
  readonly name: string;
  /** Share of task sentences. */
  readonly share: number;
  /** Sentences that are made. */
  readonly count: number;
  readonly make: Make;
}

/** The tasks that the model is trained on. */
export const trainingTasks: readonly TrainingTask[] = [
  {
    name: "ioi",
    share: 0.3,
    count: 60_000,
    make: (source, options) =>
      tasks.ioi(source, { ...options, names: namesSeen, templates: without(lists.ioiTemplates, heldOut.ioi) }),
  },
  {
    name: "greaterThan",
    share: 0.2,
    count: 40_000,
    make: (source, options) => tasks.greaterThan(source, { ...options, filter: (labels) => !isHeldOutYear(labels) }),
  },
  {
    name: "capitals",
    share: 0.15,
    count: 8_000,
    make: (source, options) =>
      tasks.capitals(source, { ...options, templates: without(lists.capitalsTemplates, heldOut.capitals) }),
  },
  {
    name: "agreement",
    share: 0.15,
    count: 16_000,
    make: (source, options) => tasks.agreement(source, { ...options, subjects: nounsSeen, persons: nounsSeen }),
  },
  {
    name: "copying",
    share: 0.12,
    count: 30_000,
    make: (source, options) =>
      tasks.copying(source, {
        ...options,
        words: [...lists.listWords, ...lists.names],
        templates: without(lists.copyingTemplates, heldOut.copying),
      }),
  },
  {
    name: "brackets",
    share: 0.08,
    count: 10_000,
    make: (source, options) =>
      tasks.brackets(source, { ...options, templates: without(lists.bracketsTemplates, heldOut.brackets) }),
  },
];

/** One line of the card. */
export interface HeldOutTask {
  readonly task: string;
  readonly heldOut: string;
  /** What guessing gives. */
  readonly chance: string;
  readonly make: (source: TaskSource, options: TaskOptions) => TaskPairs;
}

const fewNames = `1 in ${lists.names.length} names`;

/** What the model is measured on. */
export const heldOutTasks: readonly HeldOutTask[] = [
  ...(["ABBA", "BABA"] as const).flatMap((order): HeldOutTask[] => [
    {
      task: `indirect objects, ${order}`,
      heldOut: "names",
      chance: fewNames,
      make: (source, options) =>
        tasks.ioi(source, {
          ...options,
          names: heldOutNames,
          orders: [order],
          templates: without(lists.ioiTemplates, heldOut.ioi),
        }),
    },
    {
      task: `indirect objects, ${order}`,
      heldOut: "templates",
      chance: fewNames,
      make: (source, options) =>
        tasks.ioi(source, { ...options, names: namesSeen, orders: [order], templates: heldOut.ioi }),
    },
    {
      task: `indirect objects, ${order}`,
      heldOut: "names and templates",
      chance: fewNames,
      make: (source, options) =>
        tasks.ioi(source, { ...options, names: heldOutNames, orders: [order], templates: heldOut.ioi }),
    },
  ]),
  {
    task: "greater-than years",
    heldOut: "century x year pairs",
    chance: "half",
    make: (source, options) => tasks.greaterThan(source, { ...options, filter: isHeldOutYear }),
  },
  {
    task: "capitals",
    heldOut: "template",
    chance: `1 in ${lists.capitals.length} capitals`,
    make: (source, options) => tasks.capitals(source, { ...options, templates: heldOut.capitals }),
  },
  {
    task: "agreement",
    heldOut: "nouns",
    chance: "half",
    make: (source, options) => tasks.agreement(source, { ...options, subjects: nounsUnseen, persons: nounsSeen }),
  },
  {
    task: "copying lists",
    heldOut: "template",
    chance: `1 in ${lists.listWords.length} words`,
    make: (source, options) => tasks.copying(source, { ...options, templates: heldOut.copying }),
  },
  {
    task: "brackets",
    heldOut: "nesting",
    chance: "1 in 4",
    make: (source, options) => tasks.brackets(source, { ...options, templates: heldOut.brackets }),
  },
];
