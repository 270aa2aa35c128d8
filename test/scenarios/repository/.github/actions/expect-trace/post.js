const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const file = join(process.env.RUNNER_TEMP, "trace");
const trace = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").join(", ") : "";
if (trace === process.env.INPUT_LINES) {
  console.log(`as expected: ${trace}`);
} else {
  console.log(`::error::expected ${process.env.INPUT_LINES}, was ${trace}`);
  process.exitCode = 1;
}
