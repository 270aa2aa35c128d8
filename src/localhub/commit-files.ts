import { git } from "./git.ts";
import { resolveCommit } from "./git-objects.ts";
import type { CommitRequest } from "./hub-facts.ts";

/** Commits on top of a branch, which is made from `from` (or from nothing) when it is not there. */
export async function commitFiles(
  folder: string,
  { branch, message, files, author }: CommitRequest,
  { from, date }: { readonly from?: string; readonly date: Date },
): Promise<string> {
  const ref = `refs/heads/${branch}`;
  const base = (await resolveCommit(folder, ref)) ?? from;
  const { name, email } = author ?? { name: "The Octocat", email: "octocat@example.com" };
  const seconds = Math.floor(date.getTime() / 1000);
  const parts: (string | Buffer)[] = [
    `commit ${ref}\ncommitter ${name} <${email}> ${seconds} +0000\n`,
    ...data(message),
    ...(base === undefined ? [] : [`from ${base}\n`]),
  ];
  for (const [path, content] of Object.entries(files)) {
    if (content === null) {
      parts.push(`D ${JSON.stringify(path)}\n`);
      continue;
    }
    const bytes = Buffer.from(content);
    const mode = bytes.subarray(0, 2).toString() === "#!" ? "100755" : "100644";
    parts.push(`M ${mode} inline ${JSON.stringify(path)}\n`, ...data(bytes));
  }
  parts.push("done\n");
  const input = Buffer.concat(parts.map((part) => Buffer.from(part)));
  await git(folder, ["fast-import", "--quiet", "--done", "--date-format=raw"], { input });
  return await git(folder, ["rev-parse", "--verify", ref]);
}

function data(content: string | Buffer): (string | Buffer)[] {
  const bytes = Buffer.from(content);
  return [`data ${bytes.length}\n`, bytes, "\n"];
}
