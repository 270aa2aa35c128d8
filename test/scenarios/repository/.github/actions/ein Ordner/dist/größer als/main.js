const { join } = require("node:path");
console.log(`in ${join(__dirname, "../..").replace(process.env.GITHUB_WORKSPACE, "")}`);
console.log(`::add-matcher::${join(__dirname, "matcher.json")}`);
