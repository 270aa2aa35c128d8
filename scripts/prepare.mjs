// Gets this checkout ready: packages, the bundle, and with --engine what the tests need. Runs before `npm run demo`, `npm test` and
// `npm run check`, with whatever Node the machine has (20 or later): everything after it runs with the Node 24 that it installs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, "node_modules/.bin/node");
const bundle = join(root, "dist/berth.js");

installPackages();
buildBundle();
if (process.argv.includes("--engine")) prepareEngine();

function installPackages() {
  const reason = whyInstall();
  if (reason === undefined) return;
  say(`installing packages (npm install): ${reason}`);
  // Not `npm ci`: it refuses a lock file that lacks a package for another platform, and npm leaves those out of the lock file when
  // a registry does not serve them. This takes the locked versions just the same and writes nothing.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel", "error"]);
  if (!existsSync(node)) {
    stop(
      `${node} is still missing after "npm install". The package "node" puts it there in its install script: ` +
        `allow install scripts (npm config get ignore-scripts) and try again.`,
    );
  }
}

/** npm keeps what it installed in node_modules/.package-lock.json, written last. */
function whyInstall() {
  const installed = packagesOf(join(root, "node_modules/.package-lock.json"));
  if (installed === undefined) return "node_modules is not complete";
  if (!existsSync(node)) return "node_modules/.bin/node (Node 24) is missing";

  const wanted = packagesOf(join(root, "package-lock.json")) ?? {};
  const stale = Object.entries(wanted).find(([path, { version, optional, link }]) => {
    if (path === "" || link) return false;
    const found = installed[path];
    // Packages for other platforms are locked and rightly not installed.
    return found === undefined ? !optional : found.version !== version;
  });
  return stale && `${stale[0]} is not what package-lock.json says`;
}

function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : undefined;
}

function buildBundle() {
  if (!existsSync(join(root, "src/cli/berth.ts"))) return;
  const stampFile = join(root, "dist/.sources");
  const stamp = sourcesStamp();
  const isBuilt = existsSync(bundle) && existsSync(stampFile);
  if (isBuilt && readFileSync(stampFile, "utf8") === stamp) return;

  say("building dist/berth.js");
  // A build that fails must not leave the stamp of an older one.
  rmSync(stampFile, { force: true });
  run(node, ["scripts/build.ts", "--bundle"]);
  writeFileSync(stampFile, stamp);
}

/** Changes whenever a file that goes into the bundle may have changed. */
function sourcesStamp() {
  const hash = createHash("sha256");
  for (const file of sources()) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function sources() {
  const code = ["src", "runner"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file)),
  );
  const others = ["package.json", "package-lock.json", "scripts/build.ts"];
  return [...others, ...code.filter((file) => file.endsWith(".ts")).sort()];
}

function prepareEngine() {
  if (!existsSync(bundle)) return;
  const { status } = spawnSync(node, [bundle, "doctor", "--fix", "--brief"], {
    cwd: root,
    stdio: "inherit",
  });
  // The tests that need no engine run all the same; the others say what they miss.
  if (status !== 0)
    say(
      "no engine could be made ready: tests that need one are left out where none can run, else they fail",
    );
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error) stop(`${command} could not be started: ${error.message}`);
  if (status !== 0) stop(`"${[command, ...args].join(" ")}" failed`);
}

function say(text) {
  console.error(`prepare: ${text}`);
}

function stop(text) {
  say(text);
  process.exit(1);
}
