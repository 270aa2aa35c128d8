/**
 * A part of a workflow that may hold expressions: plain JSON, so that a job description can be stored and
 * sent. It is what `@actions/workflow-parser` calls a template token and GitHub's job message carries.
 */
export type Template =
  | null
  | boolean
  | number
  | string
  | TemplateExpression
  | TemplateSequence
  | TemplateMapping;

/** An expression without its `${{ }}`; mixed text has become a `format(…)` call already. */
export type TemplateExpression = { readonly expr: string; readonly at?: Position };
export type TemplateSequence = { readonly seq: readonly Template[] };
/** Keys may be expressions; `{ insert: true }` stands for `${{ insert }}`. */
export type TemplateMapping = {
  readonly map: readonly (readonly [Template | { readonly insert: true }, Template])[];
};

/** Where in a workflow file something stands; `line` and `column` count from 1. */
export type Position = { readonly file: string; readonly line: number; readonly column: number };

/** A value as it goes in and comes out of an evaluation. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
