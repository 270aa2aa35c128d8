import { expect, it } from "@jest/globals";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { missingSecrets, oidcUsers } from "../../../src/adoption/missing-secrets.ts";

const workflow = readWorkflow({
  file: "ci.yml",
  text: `on: push
env:
  A: \${{ secrets.TOP }}
jobs:
  a:
    permissions: { id-token: write }
    runs-on: berth
    env: { X: "\${{ secrets.held }}" }
    steps:
      - run: echo \${{ secrets.Deploy_Key }} \${{ secrets.GITHUB_TOKEN }}
      - run: echo \${{ secrets.DEPLOY_KEY }} \${{ secrets[matrix.x] }} \${{ toJSON(secrets) }}
  b:
    runs-on: berth
    container: { image: x, credentials: { username: u, password: "\${{ secrets['REGISTRY'] }}" } }
    steps:
      - uses: actions/checkout@v4
        with: { token: "\${{ secrets.HELD || secrets.PAT }}" }
`,
});

it("finds each secret that is used and not held, once, where it stands", () => {
  const found = missingSecrets(workflow, new Set(["held"]));

  expect(found.map(({ name, line }) => `${name} ${line}`)).toEqual([
    "TOP 3",
    "DEPLOY_KEY 10",
    "REGISTRY 14",
    "PAT 17",
  ]);
  expect(found[1]).toMatchObject({ file: "ci.yml", line: 10, column: 14 });
});

it("looks at the jobs given only", () => {
  const [, ...others] = workflow.jobs;

  expect(missingSecrets(workflow, new Set(), others).map(({ name }) => name)).toEqual([
    ...["TOP", "REGISTRY", "HELD", "PAT"],
  ]);
});

it("finds the jobs that ask for identity tokens", () => {
  expect(oidcUsers(workflow)).toEqual([{ name: "a", file: "ci.yml", line: 5, column: 3 }]);
});
