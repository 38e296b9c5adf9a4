/** Capital-of facts: a country is named, its capital is due. */
import { formatList, InputError } from "../../core/index.js";
import { arrangements, Digits, fill, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseTemplates, chooseWords } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskSource, TemplateOptions } from "./types.js";
import { type CapitalFact, capitals as knownFacts } from "./words.js";

/** Positions of a prompt: the country, the last token. */
export type CapitalsRole = "country" | "end";

/** Options of `tasks.capitals`. */
export interface CapitalsOptions extends TemplateOptions {
  /** Countries to use, of those in `facts`. */
  readonly countries?: readonly string[];
  /** Facts in place of `tasks.lists.capitals`: a country and its capital, one word each. */
  readonly facts?: readonly CapitalFact[];
}

/** `{country}` is the subject. */
export const capitalsTemplates: readonly string[] = [
  "The capital of {country} is",
  "The capital city of {country} is",
  "The capital of {country} is the city of",
  "The name of the capital of {country} is",
  "Question: what is the capital of {country}? Answer:",
  "If you go to {country}, you should see its capital,",
];

const task = "capitals";

/** See `Tasks.capitals`. */
export function capitals(source: TaskSource, options: CapitalsOptions = {}): TaskPairs<CapitalsRole> {
  const roles = ["country", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

function space(bench: TaskBench, options: CapitalsOptions): Space {
  const templates = chooseTemplates(task, options.templates, { known: capitalsTemplates, fields: ["country"] });
  const facts = usableFacts(bench, chooseFacts(options));
  return {
    strata: 1,
    size: product([templates.length, arrangements(facts.length, 2)]),
    draw: (_stratum, index) => {
      const digits = new Digits(index);
      const template = digits.pick(templates);
      const [[country, capital] = ["", ""], [other, otherCapital] = ["", ""]] = digits.pickDistinct(facts, 2);
      return {
        clean: fill(template, { country }, { country: "country" }),
        corrupted: fill(template, { country: other }, { country: "country" }),
        right: [` ${capital}`],
        wrong: [` ${otherCapital}`],
        labels: { template, country, corruptedCountry: other },
        ending: ".",
      };
    },
  };
}

function usableFacts(bench: TaskBench, facts: readonly CapitalFact[]): CapitalFact[] {
  const candidates = facts.map((fact) => {
    const tokens = [
      { before: " of", text: ` ${fact[0]}` },
      { before: " is", text: ` ${fact[1]}` },
    ];
    return { value: fact, name: fact.join(": "), tokens };
  });
  return bench.usable({ kind: "fact", candidates, needed: 2 });
}

/** Countries and capitals may not repeat: a pair's answer must tell its prompts apart. */
function chooseFacts({ facts: given, countries }: CapitalsOptions): readonly CapitalFact[] {
  const facts = given ?? knownFacts;
  const keys = chooseWords(
    task,
    "country",
    given?.map(([country]) => country),
    facts.map(([country]) => country),
  );
  const cities = chooseWords(
    task,
    "capital",
    given?.map(([, capital]) => capital),
    facts.map(([, capital]) => capital),
  );
  const all = keys.map((country, i): CapitalFact => [country, cities[i] ?? ""]);
  const wanted = chooseWords(task, "country", countries, keys);
  const unknown = wanted.filter((country) => !keys.includes(country));
  if (unknown.length === 0) return all.filter(([country]) => wanted.includes(country));
  throw new InputError({
    where: `tasks.${task}: countries`,
    got: formatList(unknown),
    expected: `some of ${formatList(keys)}`,
    fix: 'Bring their capitals along: { facts: [["Atlantis", "Poseidonis"]] }.',
  });
}
