import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder in the temporary folder, with files; disposing of it removes it. */
export type TemporaryRepository = Disposable & {
  readonly root: string;
  write(path: string, text: string): void;
  git(...args: string[]): string;
  /** Commits everything and returns the commit's id. */
  commit(message: string): string;
};

export function temporaryRepository(
  files: { readonly [path: string]: string } = {},
  { git: hasGit = true }: { git?: boolean } = {},
): TemporaryRepository {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "berth-repository-")));
  const identity = { GIT_AUTHOR_DATE: "2026-01-02T03:04:05Z", GIT_CONFIG_GLOBAL: "/dev/null" };
  const repository: TemporaryRepository = {
    root,
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    },
    git(...args) {
      const env = { ...process.env, ...identity };
      return execFileSync("git", args, { cwd: root, env, encoding: "utf8" }).trim();
    },
    commit(message) {
      repository.git("add", "--all");
      repository.git("commit", "--quiet", "--allow-empty", "--message", message);
      return repository.git("rev-parse", "HEAD");
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  if (hasGit) {
    repository.git("init", "--quiet", "--initial-branch=main");
    repository.git("config", "user.name", "Ada");
    repository.git("config", "user.email", "ada@example.org");
  }
  for (const [path, text] of Object.entries(files)) repository.write(path, text);
  return repository;
}
