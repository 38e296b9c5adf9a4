/** The part of JSON Schema that the report's schema uses. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: string | number;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** Where a value is, and the schema that its references mean. */
interface Place {
  readonly root: Schema;
  readonly at: string;
}

function typesOf(value: unknown): readonly string[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  return Number.isInteger(value) ? ["number", "integer"] : [typeof value];
}

/** What is wrong with a value that is not looked into. */
function ownErrors(value: unknown, schema: Schema, at: string): readonly string[] {
  const allowed = schema.const === undefined ? schema.enum : [schema.const];
  if (allowed !== undefined) return allowed.includes(value) ? [] : [`${at}: not one of ${allowed.join()}`];
  const types = [schema.type ?? []].flat();
  return typesOf(value).some((type) => types.includes(type))
    ? []
    : [`${at}: ${String(value)} is not ${types.join(" or ")}`];
}

function fieldErrors(
  value: object,
  { properties = {}, required = [] }: Schema,
  { root, at }: Place,
): readonly string[] {
  const entries = Object.entries(value) as readonly (readonly [string, unknown])[];
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}: no ${name}`);
  return [
    ...missing,
    ...entries.flatMap(([name, one]) => {
      const own = properties[name];
      return own === undefined ? [`${at}: unknown ${name}`] : errorsAt(one, own, { root, at: `${at}.${name}` });
    }),
  ];
}

function errorsAt(value: unknown, given: Schema, place: Place): readonly string[] {
  const { root, at } = place;
  const schema =
    given.$ref === undefined ? given : (root.definitions?.[given.$ref.replace("#/definitions/", "")] ?? {});
  const own = ownErrors(value, schema, at);
  if (own.length > 0 || typeof value !== "object" || value === null) return own;
  if (!Array.isArray(value)) return fieldErrors(value, schema, place);
  return value.flatMap((one: unknown, i) => errorsAt(one, schema.items ?? {}, { root, at: `${at}[${i}]` }));
}

/** Returns what is wrong with a value, with where it is. */
export function schemaErrors(value: unknown, schema: Schema): readonly string[] {
  return errorsAt(value, schema, { root: schema, at: "$" });
}
