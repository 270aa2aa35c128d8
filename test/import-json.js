// The workflow parser's modules import JSON without saying so, which jest warns of in every test file.
export default {
  process: (source) => ({
    code: source.replace(/^(import .* from "[^"]+\.json");$/gm, '$1 with { type: "json" };'),
  }),
};
