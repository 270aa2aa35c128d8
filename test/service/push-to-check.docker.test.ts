import { expect, it } from "@jest/globals";
import { startServiceOnLocalhub } from "./service-on-localhub.ts";

const CI = `
on: push
jobs:
  build:
    runs-on: [self-hosted, berth]
    strategy: { max-parallel: 2, matrix: { n: [1, 2, 3] } }
    outputs: { last: "\${{ steps.say.outputs.last }}" }
    steps:
      - id: say
        run: |
          echo "last=\${{ matrix.n }}" >> "$GITHUB_OUTPUT"
          echo "::warning file=a.txt,line=1::look at \${{ matrix.n }}"
  deploy:
    needs: build
    runs-on: [self-hosted, berth]
    steps:
      - run: |
          test -n "\${{ needs.build.outputs.last }}"
          test "\${{ github.event.head_commit.message }}" = Change
`;

it("runs a matrix and its dependent, of which GitHub queues only the first legs, and reports each", async () => {
  await using service = await startServiceOnLocalhub({
    files: { ".github/workflows/ci.yml": CI, "a.txt": "1" },
  });

  await service.push({ "a.txt": "2" });
  await service.until(() => service.hub.runs().at(-1)?.status === "completed");

  const checks = service.checks();
  expect(Object.keys(checks).toSorted()).toEqual(["build (1)", "build (2)", "build (3)", "deploy"]);
  expect(Object.values(checks).map(({ conclusion }) => conclusion)).toEqual(
    Array(4).fill("success"),
  );
  expect(checks["build (3)"]?.annotations).toMatchObject([
    { path: "a.txt", start_line: 1, annotation_level: "warning", message: "look at 3" },
  ]);
  expect(service.hub.jobs().map(({ conclusion }) => conclusion)).not.toContain("success");
  expect(await service.leftovers()).toEqual([]);
});
