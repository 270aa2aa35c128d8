/**
 * Builds `dist/`: the command `dist/berth.js`, the library `dist/berth-runner.js`, what they share in `dist/chunks`, and the types.
 * `--bundle` leaves out the types, which running from a checkout does not need.
 */

import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = join(import.meta.dirname, "..");
const COMMAND = "src/cli/berth.ts";
const LIBRARY = "src/berth-runner.ts";

/** CommonJS dependencies call `require` for Node's own modules, which an ES module does not have. */
const REQUIRE = `import { createRequire as berthCreateRequire } from "node:module"; const require = berthCreateRequire(import.meta.url);`;

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Stack traces name functions of the source.
  keepNames: true,
  legalComments: "none",
  // ssh2 has a library that looks for its own folder, though it needs nothing from there.
  define: { __dirname: "import.meta.dirname" },
  logLevel: "warning",
  plugins: [
    leaveOut(["ssh2", "@grpc/grpc-js", "@grpc/proto-loader", "protobufjs"]),
    leaveOutNative(["cpu-features", "./crypto/build/Release/sshcrypto.node"]),
  ],
};

/** Node takes `--env-file` for its own wherever it stands, unless `--` comes before the script; one word of a `#!` line cannot say that. */
const START = `#!/bin/sh\n":" //; exec node -- "$0" "$@"`;

/** Commands that run now may yet ask for a chunk of the build before. */
const KEPT_MS = 10 * 60_000;

const onlyBundle = process.argv.includes("--bundle");
const dist = join(root, "dist");
await mkdir(dist, { recursive: true });
const written = await bundle([COMMAND, LIBRARY]);
await removeOldChunks(join(dist, "chunks"), written);
await makeProgram(join(dist, "berth.js"));
if (!onlyBundle) {
  await emitTypes();
  await checkPackage();
}

/** What a command does not need stays in files that it does not read: reading and parsing is most of its start. */
async function bundle(entryPoints: string[]): Promise<string[]> {
  const { metafile } = await build({
    ...shared,
    entryPoints,
    outdir: "dist",
    entryNames: "[name]",
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
    banner: { js: REQUIRE },
    metafile: true,
  });
  return Object.keys(metafile.outputs).map((path) => basename(path));
}

/** Those of earlier builds have other names. */
async function removeOldChunks(folder: string, written: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    if (written.includes(name) || Date.now() - (await stat(file)).mtimeMs < KEPT_MS) continue;
    await rm(file);
  }
}

async function makeProgram(file: string): Promise<void> {
  await writeFile(file, `${START}\n${await readFile(file, "utf8")}`);
  await chmod(file, 0o755);
}

/**
 * Puts an empty module in the place of what dockerode loads for features that Berth does not use through it (SSH, BuildKit
 * sessions): native code, half of the bundle's size, and a good part of the time it takes to start. Our own use of the same packages stays.
 */
function leaveOut(names: readonly string[]): Plugin {
  return {
    name: "leave-out",
    setup(build) {
      build.onResolve({ filter: oneOf(names) }, ({ path, importer }) =>
        /[/]node_modules[/]docker(ode|-modem)[/]/.test(importer)
          ? { path, namespace: "left-out" }
          : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "" }));
    },
  };
}

/** Native parts that ssh2 tries to load, and does without where they are missing. */
function leaveOutNative(names: readonly string[]): Plugin {
  return {
    name: "leave-out-native",
    setup(build) {
      build.onResolve({ filter: oneOf(names) }, ({ path }) => ({ path, namespace: "native" }));
      build.onLoad({ filter: /.*/, namespace: "native" }, () => ({
        contents: 'throw new Error("left out")',
      }));
    },
  };
}

function oneOf(names: readonly string[]): RegExp {
  return new RegExp(`^(${names.join("|").replaceAll(".", "\\.")})$`);
}

async function emitTypes(): Promise<void> {
  await rm(join(root, "dist/types"), { recursive: true, force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      "node_modules/typescript/bin/tsc",
      ...["--noEmit", "false", "--declaration", "--emitDeclarationOnly"],
      ...["--rewriteRelativeImportExtensions", "--rootDir", ".", "--outDir", "dist/types"],
      ...[
        "--ignoreConfig",
        "--target",
        "es2024",
        "--module",
        "nodenext",
        "--moduleDetection",
        "force",
      ],
      ...["--lib", "es2024,esnext.disposable,esnext.array,esnext.iterator,esnext.collection"],
      ...["--types", "node", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck"],
      ...["--resolveJsonModule", "--allowImportingTsExtensions"],
      LIBRARY,
    ],
    { cwd: root, stdio: "inherit" },
  );
  if (status !== 0) process.exit(1);
  await nameBuiltFiles(join(root, "dist/types"));
}

/** Declarations keep the `.ts` of the source in their imports; who uses the package looks for `.js` and finds `.d.ts`. */
async function nameBuiltFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const text = await readFile(join(folder, name), "utf8");
    const built = text.replace(/((?:from|import) ?\(?")(\.{1,2}\/[^"]+)\.ts"/g, '$1$2.js"');
    await writeFile(join(folder, name), built);
  }
}

/** Says what would trouble those who install the package. */
async function checkPackage(): Promise<void> {
  const { messages: all } = await publint({ pkgDir: root, strict: true });
  // It knows programs by `#!/usr/bin/env node`; ours begins as a shell script.
  const messages = all.filter(({ code }) => code !== "BIN_FILE_NOT_EXECUTABLE");
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const message of messages) console.error(`build: ${formatMessage(message, manifest)}`);
  if (messages.some(({ type }) => type === "error")) process.exit(1);
}
