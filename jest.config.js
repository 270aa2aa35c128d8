/** @type {import("jest").Config} */
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": "<rootDir>/test/strip-types.js",
    "/@actions/workflow-parser/.*-schema\\.js$": "<rootDir>/test/import-json.js",
  },
  transformIgnorePatterns: ["/node_modules/(?!@actions/workflow-parser/)"],
  testTimeout: 120_000,
};
