const { GITHUB_WORKSPACE, GITHUB_OUTPUT } = process.env;
const isInWorkspace = process.cwd() === GITHUB_WORKSPACE;
const isInPlace = __filename === `${GITHUB_WORKSPACE}/.github/actions/where/dist/main.js`;
require("node:fs").appendFileSync(
  GITHUB_OUTPUT,
  `in-workspace=${isInWorkspace}\nin-place=${isInPlace}\narguments=${process.argv.length - 2}\n`,
);
