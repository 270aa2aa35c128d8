const { appendFileSync } = require("node:fs");
const { join } = require("node:path");

/** Writes the stage into the trace, with the name that was saved before, if there is one. */
module.exports = (stage) => {
  const { INPUT_NAME, STATE_name, RUNNER_TEMP, GITHUB_STATE } = process.env;
  appendFileSync(join(RUNNER_TEMP, "trace"), `${stage} ${STATE_name ?? INPUT_NAME}\n`);
  if (stage !== "post") appendFileSync(GITHUB_STATE, `name=${INPUT_NAME}\n`);
  if (process.env["INPUT_FAIL-IN"] === stage) process.exit(1);
};
