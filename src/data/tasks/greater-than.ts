/**
 * Greater-than: a span of years begins in "1732", and any two digits above 32 may end it.
 *
 * @see Hanna et al. 2023, "How does GPT-2 compute greater-than?"
 */
import { Digits, type Draft, fill, type Part, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseNumbers, chooseTemplates, chooseWords } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskSource, TemplateOptions } from "./types.js";
import { durations } from "./words.js";

/** Positions of a prompt: the first century, the year's last two digits, the last token (the century again). */
export type GreaterThanRole = "century" | "YY" | "end";

/** Options of `tasks.greaterThan`. */
export interface GreaterThanOptions extends TemplateOptions {
  /** Words for `{noun}`. */
  readonly nouns?: readonly string[];
  /** First two digits of years, 10 to 99; default 11 to 19. */
  readonly centuries?: readonly number[];
  /** Last two digits of first years, 2 to 98; default all. */
  readonly years?: readonly number[];
}

/** `{century}{year}` is the first year, `{again}` the century of the last one. */
export const greaterThanTemplates: readonly string[] = [
  "The {noun} lasted from the year {century}{year} to the year {again}",
  "The {noun} began in the year {century}{year} and ended in the year {again}",
  "The {noun} was known from the year {century}{year} until the year {again}",
  "They say that the {noun} went on from the year {century}{year} to the year {again}",
];

const task = "greaterThan";
const fields = ["noun", "century", "year", "again"];
/** The year of corrupted prompts, after which almost any year may follow. */
const dummy = "01";

/** A year that can be asked about, with the answers that are single tokens in its century. */
interface Question {
  readonly century: string;
  readonly year: string;
  readonly right: readonly string[];
  readonly wrong: readonly string[];
  /** Wrong answers that the corrupted prompt allows. */
  readonly near: readonly string[];
}

/** See `Tasks.greaterThan`. */
export function greaterThan(source: TaskSource, options: GreaterThanOptions = {}): TaskPairs<GreaterThanRole> {
  const roles = ["century", "YY", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

function space(bench: TaskBench, options: GreaterThanOptions): Space {
  const templates = chooseTemplates(task, options.templates, { known: greaterThanTemplates, fields });
  const nouns = chooseWords(task, "noun", options.nouns, durations);
  const centuries = chooseNumbers(task, "century", options.centuries, { known: range(11, 19), least: 10, most: 99 });
  const years = chooseNumbers(task, "year", options.years, { known: range(2, 98), least: 2, most: 98 });
  const questions = usableQuestions(bench, usableCenturies(bench, centuries), years);
  return {
    strata: 1,
    size: product([templates.length, nouns.length, questions.length, 97, 97]),
    draw: (_stratum, index) => {
      const digits = new Digits(index);
      return draft(digits, digits.pick(templates), digits.pick(nouns), digits.pick(questions));
    },
  };
}

function draft(digits: Digits, template: string, noun: string, question: Question): Draft {
  const { century, year, right, wrong, near } = question;
  const [answer, wrongAnswer] = [digits.pick(right), digits.pick(near)];
  return {
    clean: prompt(template, noun, century, year),
    corrupted: prompt(template, noun, century, dummy),
    right: [answer, ...right.filter((other) => other !== answer)],
    wrong: [wrongAnswer, ...wrong.filter((other) => other !== wrongAnswer)],
    labels: { template, noun, century, year },
    ending: ".",
  };
}

function prompt(template: string, noun: string, century: string, year: string): Part[] {
  const roles = { century: "century", year: "YY", again: "again" };
  return fill(template, { noun, century, year, again: century }, roles);
}

function usableCenturies(bench: TaskBench, centuries: readonly string[]): string[] {
  const candidates = centuries.map((century) => {
    const tokens = [
      { before: " year", text: ` ${century}` },
      { before: ` year ${century}`, text: dummy },
    ];
    return { value: century, name: century, tokens };
  });
  return bench.usable({ kind: "century", candidates, needed: 1 });
}

/** Looks at every year of every century: single tokens are answers, and questions where they are asked for. */
function usableQuestions(bench: TaskBench, centuries: readonly string[], asked: readonly string[]): Question[] {
  const candidates = centuries.flatMap((century) =>
    range(0, 99).map((year) => {
      const tokens = [{ before: ` year ${century}`, text: year }];
      return { value: { century, year }, name: century + year, tokens };
    }),
  );
  const usable = bench.usable({ kind: "year", candidates, needed: 1 });
  const questions = centuries.flatMap((century) => {
    const answers = usable.filter((one) => one.century === century).map(({ year }) => year);
    return asked.filter((year) => answers.includes(year)).map((year) => question(century, year, answers));
  });
  for (const { century, year } of questions.filter(({ right }) => right.length === 0))
    bench.skip("year", century + year, "no later year of its century is a single token");
  return bench.require(
    "year",
    questions.filter(({ right }) => right.length > 0),
    1,
  );
}

/** Strings of two digits compare like numbers. */
function question(century: string, year: string, answers: readonly string[]): Question {
  const wrong = answers.filter((answer) => answer <= year);
  const near = wrong.filter((answer) => answer > dummy);
  return { century, year, right: answers.filter((answer) => answer > year), wrong, near };
}

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(2, "0"));
}
