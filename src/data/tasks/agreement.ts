/**
 * Subject–verb agreement: the verb follows the subject's number, whatever noun stands nearer.
 *
 * @see Linzen et al. 2016, "Assessing the Ability of LSTMs to Learn Syntax-Sensitive Dependencies"
 * @see Finlayson et al. 2021, "Causal Analysis of Syntactic Agreement Mechanisms in Neural Language Models"
 */
import { Digits, type Draft, fieldsOf, fill, type Part, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseAmong, chooseNouns, chooseTemplates } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskSource, TemplateOptions } from "./types.js";
import { things as allThings, type NounForms, people } from "./words.js";

/** Positions of a prompt: the subject, the last token. A pair from a template with a second noun
 * also has `thing` or `person` in its own positions. */
export type AgreementRole = "subject" | "end";

/** The number of the clean prompt's subject. */
export type GrammaticalNumber = "singular" | "plural";

/** Options of `tasks.agreement`. */
export interface AgreementOptions extends TemplateOptions {
  /** Subjects: singular and plural; by default `tasks.lists.people`. */
  readonly subjects?: readonly NounForms[];
  /** Nouns for `{person}`, the second noun that may mislead; by default `tasks.lists.people`. */
  readonly persons?: readonly NounForms[];
  /** Nouns for `{thing}`, the second noun that may mislead; by default `tasks.lists.things`. */
  readonly things?: readonly NounForms[];
  /** Default: both, half of the pairs each. */
  readonly numbers?: readonly GrammaticalNumber[];
}

/** `{subject}` is the subject, `{thing}` or `{person}` the noun nearer to the verb. */
export const agreementTemplates: readonly string[] = [
  "The {subject}",
  "The {subject} near the {thing}",
  "The {subject} behind the {thing}",
  "The {subject} with the {thing}",
  "The {subject} beside the {person}",
  "The {subject} that the {person} saw",
  "The {subject} that the {person} liked",
  "Near the {thing} the {subject}",
];

/** Singular and plural of a verb, and what may follow. */
export type Verb = readonly [singular: string, plural: string, ending: string];

/** The verbs that may be due. */
export const agreementVerbs: readonly Verb[] = [
  [" is", " are", " here."],
  [" was", " were", " there."],
  [" has", " have", " gone."],
];

const task = "agreement";
const numbers = ["singular", "plural"] as const;

/** See `Tasks.agreement`. */
export function agreement(source: TaskSource, options: AgreementOptions = {}): TaskPairs<AgreementRole> {
  const roles = ["subject", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

/** What drafts are made of. */
interface Material {
  readonly templates: readonly string[];
  readonly subjects: readonly NounForms[];
  readonly persons: readonly NounForms[];
  readonly things: readonly NounForms[];
  readonly verbs: readonly Verb[];
}

function space(bench: TaskBench, options: AgreementOptions): Space {
  const chosen = chooseAmong(task, "number", options.numbers, numbers);
  const material = prepare(bench, options);
  const { templates, subjects, persons, things } = material;
  return {
    strata: chosen.length,
    size: product([templates.length, subjects.length, persons.length + 1, things.length + 1, 2, material.verbs.length]),
    draw: (stratum, index) => draft(new Digits(index), material, chosen[stratum] ?? "singular"),
  };
}

function prepare(bench: TaskBench, options: AgreementOptions): Material {
  const given = chooseTemplates(task, options.templates, {
    known: agreementTemplates,
    fields: ["subject"],
    optional: ["thing", "person"],
  });
  const used = new Set(given.flatMap(fieldsOf));
  const nouns = (kind: string, list: readonly NounForms[] | undefined, known: readonly NounForms[]): NounForms[] =>
    usableNouns(bench, kind, chooseNouns(task, kind, list, known));
  const subjects = bench.require("subject", nouns("subject", options.subjects, people), 1);
  const persons = used.has("person") ? nouns("person", options.persons, people) : [];
  const things = used.has("thing") ? nouns("thing", options.things, allThings) : [];
  return {
    templates: usableTemplates(bench, given, { persons, things }),
    subjects,
    persons,
    things,
    verbs: usableVerbs(bench),
  };
}

/** Leaves out, and reports, templates whose second noun this tokenizer has no words for. */
function usableTemplates(
  bench: TaskBench,
  templates: readonly string[],
  { persons, things }: Pick<Material, "persons" | "things">,
): string[] {
  bench.looked["template"] = templates.length;
  const missing = [...(persons.length < 2 ? ["person"] : []), ...(things.length < 1 ? ["thing"] : [])];
  const usable = templates.filter((template) => {
    const lacking = fieldsOf(template).find((field) => missing.includes(field));
    if (lacking !== undefined) bench.skip("template", template, `too few usable ${lacking}s`);
    return lacking === undefined;
  });
  return bench.require("template", usable, 1);
}

function usableNouns(bench: TaskBench, kind: string, nouns: readonly NounForms[]): NounForms[] {
  const candidates = nouns.map((forms) => {
    const tokens = forms.map((form) => ({ before: " the", text: ` ${form}` }));
    return { value: forms, name: forms.join("/"), tokens };
  });
  return bench.usable({ kind, candidates, needed: 0 });
}

function usableVerbs(bench: TaskBench): Verb[] {
  const candidates = agreementVerbs.map((verb) => {
    const tokens = [verb[0], verb[1]].map((text) => ({ before: " the", text }));
    return { value: verb, name: `${verb[0]}/${verb[1].trim()}`, tokens };
  });
  return bench.usable({ kind: "verb", candidates, needed: 1 });
}

function draft(digits: Digits, material: Material, number: GrammaticalNumber): Draft {
  const template = digits.pick(material.templates);
  const subject = digits.pick(material.subjects);
  const verb = digits.pick(material.verbs);
  const second = secondNoun(digits, template, material, subject);
  const [form, other] = number === "singular" ? ([0, 1] as const) : ([1, 0] as const);
  const write = (which: 0 | 1): Part[] =>
    fill(
      template,
      { ...second.words, subject: subject[which] },
      { subject: "subject", thing: "thing", person: "person" },
    );
  const first = (which: 0 | 1): string[] =>
    [verb, ...material.verbs.filter((one) => one !== verb)].map((one) => one[which]);
  return {
    clean: write(form),
    corrupted: write(other),
    right: first(form),
    wrong: first(other),
    labels: { template, number, subject: subject[0], verb: verb[form].trim(), ...second.labels },
    ending: verb[2],
  };
}

/** The noun between subject and verb, when the template has one: another one than the subject, of either number. */
function secondNoun(digits: Digits, template: string, material: Material, subject: NounForms): Second {
  const field = fieldsOf(template).find((name) => name !== "subject");
  if (field === undefined) return { words: {}, labels: {} };
  const list = field === "thing" ? material.things : material.persons;
  const others = list.filter(([singular]) => singular !== subject[0]);
  const noun = digits.pick(others);
  const number = digits.pick(numbers);
  return {
    words: { [field]: noun[number === "singular" ? 0 : 1] },
    labels: { second: noun[0], secondNumber: number },
  };
}

interface Second {
  readonly words: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}
