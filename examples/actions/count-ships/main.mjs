// A JavaScript action without packages: inputs are variables, outputs and state are lines of files.
import { appendFileSync, readFileSync } from "node:fs";

const table = process.env.INPUT_TABLE;
const [head, ...rows] = readFileSync(table, "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(","));
const ship = head.indexOf("ship");
const byShip = Object.groupBy(rows, (row) => row[ship]);
const [busiest] = Object.keys(byShip).sort((a, b) => byShip[b].length - byShip[a].length);

console.log(`${table}: ${rows.length} rows, ${byShip[busiest].length} of them by ${busiest}`);
appendFileSync(process.env.GITHUB_OUTPUT, `rows=${rows.length}\nbusiest=${busiest}\n`);
appendFileSync(process.env.GITHUB_STATE, `table=${table}\n`);
