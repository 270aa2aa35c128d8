require("node:fs").appendFileSync(process.env.GITHUB_OUTPUT, "color=green\n");
console.log("::error::it did not work");
process.exit(3);
