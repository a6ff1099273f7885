// Reads settings by the JSON Schema that the host shows as a form. It supports whole numbers and objects; add what
// your settings need.

/** Reads a JSON object; empty text means the defaults. Throws the contract's `invalid-settings` with every problem. */
export function read(text, properties) {
  const problems = [];
  const given = parse(text.trim() || '{}', problems);
  const settings = {};
  for (const [key, property] of Object.entries(properties)) {
    const value = given[key] ?? property.default;
    const wrong = fault(value, property);
    if (wrong) problems.push({ path: key, message: `${JSON.stringify(value)} is not ${wrong}` });
    settings[key] = value;
  }
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(properties, key)) problems.push({ path: key, message: 'there is no such setting' });
  }
  if (problems.length > 0) throw { tag: 'invalid-settings', val: problems };
  return settings;
}

/** The JSON Schema of the settings, as text. */
export function schema(title, properties) {
  return JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title,
    type: 'object',
    properties,
    additionalProperties: false,
  });
}

function parse(text, problems) {
  try {
    const given = JSON.parse(text);
    if (isObject(given)) return given;
    problems.push({ path: '', message: 'the settings are not a JSON object' });
  } catch (error) {
    problems.push({ path: '', message: `the settings are not JSON: ${error.message}` });
  }
  return {};
}

/** What the value should be, if it is not valid. */
function fault(value, { type, minimum, maximum }) {
  if (type === 'integer' && !(Number.isInteger(value) && value >= minimum && value <= maximum)) {
    return `a whole number from ${minimum} to ${maximum}`;
  }
  if (type === 'object' && !isObject(value)) return 'a JSON object';
  return undefined;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
