const { appendFileSync } = require("node:fs");

const inputs = Object.entries(process.env).filter(([name]) => name.startsWith("INPUT_"));
for (const [name, value] of inputs.sort()) console.log(`${name}=[${value}]`);
appendFileSync(process.env.GITHUB_OUTPUT, `count=${inputs.length}\n`);
