import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "@jest/globals";
import type { JobPlace } from "../../runner/job/execute-job.ts";
import { thisMachine } from "../../src/cli/this-machine.ts";
import { containerPlaces } from "../../src/container-places.ts";
import { connectEngine } from "../../src/containers/connect-engine.ts";
import { type Machine, prepareImages } from "../../src/hosts/prepare-machine.ts";
import { makeTestImages } from "../engine.ts";

const signal = AbortSignal.timeout(280_000);
let machine: Machine;

beforeAll(async () => {
  const connect = thisMachine({});
  machine = await prepareImages(await connectEngine(connect), [], {
    connect,
    report: () => {},
    signal,
  });
  await makeTestImages();
}, 280_000);

it("has both Nodes where actions/setup-node looks for them", async () => {
  await using place = await open();

  // As @actions/tool-cache does: folders that are versions, with a marker beside the architecture's folder.
  const found = await say(place, 'cd "/__t/node" && ls -d */*.complete */*/bin/node');

  const { nodes } = machine.nodeVolume;
  expect(nodes.map(({ version }) => version.split(".")[0])).toEqual(["20", "24"]);
  expect(found.split("\n").filter(Boolean)).toEqual(
    nodes
      .flatMap(({ version, arch }) => [
        `${version}/${arch}.complete`,
        `${version}/${arch}/bin/node`,
      ])
      .sort(),
  );
});

it.each([
  ["20", undefined],
  ["24", undefined],
  ["24", "berth-test/debian:latest"],
])(
  "installs programs where Node %s of the tool cache finds them (image: %s)",
  async (major, image) => {
    await using place = await open(image);
    const bin = await binOf(place, major);

    const told = await say(
      place,
      `export PATH=${bin}:$PATH
      set -e
      mkdir package && cd package
      echo '{"name":"a-tool","version":"1.0.0","bin":{"a-tool":"tool.js"}}' > package.json
      printf '#!/usr/bin/env node\\nconsole.log("tool ran by", process.version)\\n' > tool.js
      node --version | cut -d. -f1
      test "$(npm root -g)" = "${bin.replace(/bin$/, "lib/node_modules")}" && echo root
      tgz=$(npm pack --silent)
      npm install --global --silent ./$tgz
      command -v a-tool; a-tool | cut -d. -f1
      npm ls --global --depth 0 | grep -o 'a-tool@1.0.0\\|npm@'
      mkdir ../user && cd ../user
      echo '{"name":"user","version":"1.0.0","dependencies":{"a-tool":"file:../package/'$tgz'"}}' > package.json
      npm install --package-lock-only --silent --no-audit
      npm ci --silent --no-audit && npx --no-install a-tool | cut -d. -f1
      npm uninstall --global --silent a-tool; command -v a-tool || echo gone`,
    );

    expect(told.split("\n")).toEqual([
      `v${major}`,
      "root",
      `${bin}/a-tool`,
      `tool ran by v${major}`,
      "a-tool@1.0.0",
      "npm@",
      `tool ran by v${major}`,
      "gone",
      "",
    ]);
  },
  60_000,
);

it("lets npm replace itself", async () => {
  await using place = await open();
  const bin = await binOf(place, "24");

  const told = await say(
    place,
    `export PATH=${bin}:$PATH
    set -e
    cp -rL /__e/node24/lib/node_modules/npm npm && cd npm
    node -e 'const f = "./package.json"; const p = require(f); p.version = "11.99.0"; fs.writeFileSync(f, JSON.stringify(p))'
    npm install --global --silent $(npm pack --silent)
    npm --version; npm prefix --global`,
  );

  expect(told).toBe(`11.99.0\n${bin.replace(/\/bin$/, "")}\n`);
}, 60_000);

it("comes with npm beside the Node for actions", async () => {
  await using place = await open();
  const pinned = readFileSync(
    join(import.meta.dirname, "../../src/hosts/node-packages.ts"),
    "utf8",
  ).matchAll(/npm@([\d.]+)/g);

  const told = await say(
    place,
    "for n in 20 24; do PATH=/__e/node$n/bin:$PATH; npm --version; npx --version; done",
  );

  const versions = [...pinned].flatMap(([, version]) => [version, version]);
  expect(told.split("\n").filter(Boolean)).toEqual(versions);
});

async function binOf(place: JobPlace, major: string): Promise<string> {
  const bin = await say(place, `printf %s /__t/node/${major}.*/*/bin`);
  expect(bin).toMatch(/^\/__t\/node\/[\d.]+\/(x64|arm64)\/bin$/);
  return bin;
}

/** A job without a container, or with one of that image. */
function open(image?: string): Promise<JobPlace> {
  const { engine, jobImage, nodeVolume } = machine;
  const opens = containerPlaces({
    engine: { docker: engine.docker, dockerConfigDir: tmpdir() },
    hostName: "test",
    nodeVolume,
    imageFor: () => jobImage,
    onLeak: (leak) => expect(leak).toBeUndefined(),
  });
  const jobId = `node-tool-${process.pid}-${randomBytes(4).toString("hex")}`;
  const container = image && { image, env: {}, ports: [], volumes: [], options: "" };
  return opens(
    {
      jobId,
      runId: "node-tool",
      repository: "repo",
      labels: [],
      ...(container && { container }),
    },
    { journal: undefined, progress() {}, placed() {}, signal },
  );
}

async function say(place: JobPlace, script: string): Promise<string> {
  const chunks: Buffer[] = [];
  await place.shell.run(
    {
      argv: ["bash", "-c", script],
      cwd: place.paths.workspace,
      env: place.paths.home ? { HOME: place.paths.home } : {},
    },
    { onOutput: (chunk) => chunks.push(chunk) },
  );
  return Buffer.concat(chunks).toString();
}
