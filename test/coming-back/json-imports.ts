import { registerHooks } from "node:module";

// The workflow parser's modules import JSON without saying so, which Node refuses; jest and the bundler do not mind.
registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context),
});
