/**
 * The ways a secret may be spelt in a log: itself and what it becomes in base64 (also behind one or two other bytes), JSON,
 * a URI, XML, a quoted word, or a PowerShell error that colours `&`. The set is that of GitHub's runner
 * (`ValueEncoders.cs`); no two forms are equal and none is empty.
 */
export function secretForms(value: string): readonly string[] {
  const bytes = Buffer.from(value, "utf8");
  const forms = [
    value,
    bytes.toString("base64"),
    base64From(bytes, 1),
    base64From(bytes, 2),
    value.replaceAll('"', '\\"'),
    value.replaceAll("'", "''"),
    escapeJson(value),
    escapeUri(value),
    escapeXml(value),
    withoutQuotes(value),
    ...aroundAmpersand(value),
  ];
  return [...new Set(forms)].filter((form) => form !== "");
}

// What stands before the secret shifts its bits within the base64 text; without its first bytes it is aligned again.
function base64From(bytes: Buffer, shift: number): string {
  return bytes.subarray(bytes.length > shift ? shift : 0).toString("base64");
}

function escapeJson(value: string): string {
  return JSON.stringify(value)
    .slice(1, -1)
    .replace(/[\u0085\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function escapeUri(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function escapeXml(value: string): string {
  return value
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}

// A shell strips the quotes that someone stored with the secret.
function withoutQuotes(value: string): string {
  return value.length > 8 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : "";
}

// PowerShell colours the character after `&+`, which tears it out of the text.
function aroundAmpersand(value: string): string[] {
  const plus = value.indexOf("&+");
  const last = value.lastIndexOf("&");
  if (last < 0) return [];
  const parts =
    plus >= 0
      ? [value.slice(0, plus + 2), value.slice(plus + 3)]
      : [value.slice(0, last + 1), value.slice(last + 1)];
  return parts.filter((part) => part.length >= 6);
}
