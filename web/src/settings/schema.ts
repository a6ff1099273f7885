// A form for a stage's settings, generated from the component's JSON schema: the fields, and the conversion between
// typed and sent values. Small on purpose: settings are flat objects of numbers, switches, choices and texts. Other
// parts of a schema are typed as JSON, and the component itself reports errors.

export type Kind = "number" | "switch" | "choice" | "text" | "secret" | "json";

export interface SchemaField {
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  readonly kind: Kind;
  /** The values of a choice. */
  readonly options: readonly string[];
  /** The default; empty if the schema does not contain one. */
  readonly standard: string;
}

type Json = Readonly<Record<string, unknown>>;
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === "string" ? value : "");

/** In the order of the schema, which its author chose. */
export function fieldsOf(schema: unknown): SchemaField[] {
  const properties = isJson(schema) && isJson(schema.properties) ? schema.properties : {};
  return Object.entries(properties).map(([name, given]) => {
    const property = isJson(given) ? given : {};
    const kind = kindOf(property);
    return {
      name,
      title: text(property.title) || name.replaceAll("_", " "),
      hint: [text(property.description), range(property)].filter(Boolean).join(" ").replaceAll("`", ""),
      kind,
      options: kind === "choice" ? (property.enum as unknown[]).map(String) : [],
      standard: property.default === undefined ? "" : typed(property.default, kind),
    };
  });
}

function kindOf(property: Json): Kind {
  if (Array.isArray(property.enum) && property.enum.every((one) => typeof one === "string")) return "choice";
  switch (property.type) {
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "switch";
    case "string":
      return property.writeOnly === true || property.format === "password" ? "secret" : "text";
    default:
      return "json";
  }
}

function range({ minimum, maximum }: Json): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maximum === undefined ? "" : `At most ${maximum}.`;
}

const typed = (value: unknown, kind: Kind) =>
  kind === "json" || typeof value === "object" ? JSON.stringify(value) : String(value);

/** The text of each field; empty means the default. */
export type Texts = Record<string, string>;

/** The present settings as texts for the form. */
export function toTexts(fields: readonly SchemaField[], settings: unknown): Texts {
  const set = isJson(settings) ? settings : {};
  return Object.fromEntries(
    fields.map(({ name, kind }) => [name, set[name] === undefined ? "" : typed(set[name], kind)]),
  );
}

/**
 * The settings to send: a complete object, including values that no field shows; `null` if nothing differs from the
 * defaults.
 */
export function fromTexts(fields: readonly SchemaField[], texts: Texts, settings: unknown): Json | null {
  const kept = Object.entries(isJson(settings) ? settings : {}).filter(
    ([name]) => !fields.some((field) => field.name === name),
  );
  const filled = fields
    .map(({ name, kind }) => [name, (texts[name] ?? "").trim(), kind] as const)
    .filter(([, value]) => value !== "")
    .map(([name, value, kind]) => [name, parsed(value, kind)] as const);
  const all = [...kept, ...filled];
  return all.length === 0 ? null : Object.fromEntries(all);
}

/** A value that cannot be parsed is sent as typed: the component reports the error. */
function parsed(value: string, kind: Kind): unknown {
  if (kind === "switch") return value === "true";
  if (kind === "number") return Number.isFinite(Number(value)) ? Number(value) : value;
  if (kind !== "json") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
