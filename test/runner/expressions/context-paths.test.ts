import { expect, it } from "@jest/globals";
import { contextPaths } from "../../../runner/expressions/context-paths.ts";

it.each([
  ["needs.a.outputs.X == 'y'", ["needs.a.outputs.x"]],
  ["needs['a b'].outputs", ["needs.a b.outputs"]],
  ["toJSON(needs)", ["needs"]],
  ["contains(needs.*.result, 'failure')", ["needs.*.result"]],
  ["needs[github.job].outputs[matrix.y]", ["needs.*.outputs.*", "github.job", "matrix.y"]],
  ["fromJSON(needs.a.outputs.m).x[0]", ["needs.a.outputs.m"]],
  ["fromJSON(toJSON(needs)).a[vars.K].result", ["needs", "vars.k"]],
  ["(github).event.n && secrets.FOO || !inputs.y", ["github.event.n", "secrets.foo", "inputs.y"]],
  ["success() && hashFiles('x') != 'needs.a'", []],
])("%s reads %j", (expression, paths) => {
  expect(contextPaths(expression).map((path) => path.join("."))).toEqual(paths);
});
