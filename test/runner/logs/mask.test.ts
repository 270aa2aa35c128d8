import { describe, expect, it } from "@jest/globals";
import { createMasker } from "../../../runner/logs/mask.ts";
import { secretForms } from "../../../runner/logs/secret-forms.ts";

function maskerOf(...secrets: string[]) {
  const masker = createMasker();
  for (const secret of secrets) masker.add(secret);
  return masker;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("the forms of a secret", () => {
  const secret = `p"a's&<s>/w ö`;
  it.each([
    ["itself", secret],
    ["base64", base64(secret)],
    ["base64 behind one byte", base64(secret.slice(1))],
    ["base64 behind two bytes", base64(secret.slice(2))],
    ["with escaped double quotes", `p\\"a's&<s>/w ö`],
    ["with doubled single quotes", `p"a''s&<s>/w ö`],
    ["as a JSON string", `p\\"a's&<s>/w ö`],
    ["as URI data", "p%22a%27s%26%3Cs%3E%2Fw%20%C3%B6"],
    ["as XML", "p&quot;a&apos;s&amp;&lt;s&gt;/w ö"],
    ["up to its last ampersand", `p"a's&`],
    ["after its last ampersand", "<s>/w ö"],
  ])("hold it %s", (_name, form) => {
    expect(secretForms(secret)).toContain(form);
  });

  it("hold no part around an ampersand of less than six characters", () => {
    expect(secretForms("abcd&efghi")).toEqual(expect.not.arrayContaining(["abcd&", "efghi"]));
    expect(secretForms("abcde&efghij")).toEqual(expect.arrayContaining(["abcde&", "efghij"]));
  });

  it("split at the first `&+` and skip the character that PowerShell colours", () => {
    expect(secretForms("part-1&+part-2&part-3")).toEqual(
      expect.arrayContaining(["part-1&+", "art-2&part-3"]),
    );
  });

  it("hold it without its double quotes when it is longer than eight", () => {
    expect(secretForms('"abcdefg"')).toContain("abcdefg");
    expect(secretForms('"abcdef"')).not.toContain("abcdef");
  });

  it("escape control characters as JSON does", () => {
    expect(secretForms("a\tb\u001bc\u2028\\")).toContain("a\\tb\\u001bc\\u2028\\\\");
  });

  it("do not fail on half a surrogate pair", () => {
    expect(secretForms("a\ud800b")).toContain("a\ud800b");
  });
});

describe("masking", () => {
  it.each([
    ["a secret in the middle", ["sesame"], "open sesame now", "open *** now"],
    ["every occurrence", ["ab"], "ab x ab", "*** x ***"],
    ["one character", ["1"], "2122", "2***22"],
    ["overlapping secrets as one", ["abcd", "cdef"], "xabcdefx", "x***x"],
    ["a secret within another as one", ["abcdef", "cd"], "xabcdefx cd", "x***x ***"],
    ["a secret that overlaps itself", ["aba"], "ababa", "***"],
    ["nothing in another case", ["Secret"], "secret", "secret"],
    ["nothing of a blank value", ["", "  ", "\n"], "a  b\n", "a  b\n"],
    ["characters outside ASCII", ["pässwörd✓😀"], "<pässwörd✓😀>", "<***>"],
    ["each line of a value, trimmed", ["one\r\n  two  \n"], "one, two", "***, ***"],
    ["the JSON form of several lines", ["one\ntwo"], '"one\\ntwo"', '"***"'],
    ["what is secret as a whole line", ["secret"], "secret", "***"],
  ])("hides %s", (_name, secrets, text, masked) => {
    expect(maskerOf(...secrets).mask(text)).toBe(masked);
    expect(maskerOf(...secrets).maskLines(text)).toBe(masked);
  });

  it("hides base64 of user and password, whatever stands before the password", () => {
    const masker = maskerOf("correct horse battery");
    for (const user of ["", "u", "us", "use", "user", "user:"]) {
      const masked = masker.mask(base64(`${user}correct horse battery`));
      expect(masked).toMatch(/^.{0,8}\*\*\*$/);
    }
  });

  it("hides a value over several lines in a text, and line by line in output", () => {
    const masker = maskerOf("one\ntwo");

    expect(masker.mask("<one\ntwo>")).toBe("<***>");
    expect(masker.maskLines("<one\ntwo>\n")).toBe("<***\n***>\n");
  });

  it("joins no secrets across lines", () => {
    expect(maskerOf("ab", "cd").maskLines("ab\ncd\n")).toBe("***\n***\n");
  });

  it("hides a value only from when it was added", () => {
    const masker = maskerOf("first");
    const before = masker.mask("first second");
    masker.add("second");

    expect([before, masker.mask("first second")]).toEqual(["*** second", "*** ***"]);
  });

  it("hides every line when there are more secrets than it may hold", () => {
    const masker = createMasker(1000);
    for (let i = 0; i < 20; i++) masker.add(`a-rather-long-secret-${i}`);

    const hidden = "*** (more secrets than this runner can mask)";
    expect(masker.mask("some text\nmore")).toBe(`${hidden}\n${hidden}`);
    expect(masker.maskLines("some text\n\nmore\n")).toBe(`${hidden}\n\n${hidden}\n`);
  });

  it("does what a search for each value by itself would do, for any text", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed);
      const alphabet = ["ab", "abc", "aé✓b", "01+/="][random(4)] ?? "ab";
      const secrets = Array.from({ length: 1 + random(12) }, () =>
        word(random, alphabet, 1 + random(9)),
      );
      const masker = createMasker();
      for (const [index, secret] of secrets.entries()) {
        masker.add(secret);
        if (index % 3 === 0) masker.mask("builds what there is so far");
      }
      const text = word(random, `${alphabet} `, 200);

      expect({ seed, masked: masker.mask(text) }).toEqual({
        seed,
        masked: maskNaively(text, secrets),
      });
    }
  });

  it("cuts a long line so that no secret, whole or begun, is cut", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed);
      const secrets = Array.from({ length: 5 }, () => word(random, "abc", 3 + random(5)));
      const masker = maskerOf(...secrets);
      const text = word(random, "abcdefgh", 120);
      const at = 40 + random(40);

      const cut = masker.cutBeforeSecret(text.slice(0, at));
      const pieces = `${masker.mask(text.slice(0, cut))}|${masker.mask(text.slice(cut))}`;

      // Masks that touch the cut from both sides are one mask in the whole line.
      const joined = pieces.replace("***|***", "***").replace("|", "");
      expect({ seed, joined }).toEqual({ seed, joined: masker.mask(text) });
    }
  });
});

function maskNaively(text: string, secrets: readonly string[]): string {
  const hidden = new Array<boolean>(text.length).fill(false);
  for (const form of secrets.flatMap((secret) => secretForms(secret))) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
      hidden.fill(true, at, at + form.length);
    }
  }
  return [...text.split("").entries()]
    .map(([i, c]) => (hidden[i] ? (hidden[i - 1] ? "" : "***") : c))
    .join("");
}

function word(random: (below: number) => number, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[random(alphabet.length)]).join("");
}

function createRandom(seed: number): (below: number) => number {
  let state = seed * 2654435761;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return (state >>> 8) % below;
  };
}
