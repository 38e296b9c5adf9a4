/** Comma- and tab-separated values after RFC 4180: fields may be quoted, a quote inside is doubled. */
import { FormatError } from "../core/index.js";

/** How fields are told apart. */
export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** Whether a field may be quoted. */
  readonly quotes: boolean;
}

const quote = 0x22;

/** Tells whether a record is still inside a quoted field after these bytes, which start at a field or inside quotes. */
export function endsInsideQuotes(bytes: Uint8Array, startsInside: boolean, dialect: CsvDialect): boolean {
  if (!dialect.quotes) return false;
  const delimiter = dialect.delimiter.charCodeAt(0);
  let isInside = startsInside;
  let isFieldStart = !startsInside;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isInside) {
      if (byte !== quote) continue;
      if (bytes[i + 1] === quote) i++;
      else isInside = false;
    } else if (isFieldStart && byte === quote) {
      isInside = true;
    }
    isFieldStart = byte === delimiter;
  }
  return isInside;
}

/**
 * Returns the fields of one record.
 *
 * @throws FormatError when a quoted field is not closed, or is followed by anything but a delimiter.
 */
export function parseCsvRecord(text: string, dialect: CsvDialect, where: string): string[] {
  const { delimiter } = dialect;
  if (!dialect.quotes || !text.includes('"')) return text.split(delimiter);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at, dialect, where) : plainField(text, at, delimiter);
    fields.push(field.value);
    if (field.end >= text.length) return fields;
    at = field.end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Where its delimiter is, or the text's length. */
  readonly end: number;
}

function plainField(text: string, start: number, delimiter: string): Field {
  const found = text.indexOf(delimiter, start);
  const end = found < 0 ? text.length : found;
  return { value: text.slice(start, end), end };
}

function quotedField(text: string, start: number, { delimiter }: CsvDialect, where: string): Field {
  let close = text.indexOf('"', start + 1);
  while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close < 0) throw unclosed(where);
  const end = close + 1;
  if (end < text.length && text[end] !== delimiter) throw afterQuote(text.slice(end, end + 12), delimiter, where);
  return { value: text.slice(start + 1, close).replaceAll('""', '"'), end };
}

function unclosed(where: string): FormatError {
  return new FormatError({
    where,
    got: "a quoted field that never ends",
    expected: 'a closing " at the end of the field',
    fix: "Correct the quotes, or pass { quotes: false } when quotes are plain text in this file.",
  });
}

function afterQuote(found: string, delimiter: string, where: string): FormatError {
  return new FormatError({
    where,
    got: `${JSON.stringify(found)} after a quoted field`,
    expected: `${JSON.stringify(delimiter)} or the end of the record`,
    fix: 'Double the quotes inside a quoted field (""), or pass { quotes: false }.',
  });
}
