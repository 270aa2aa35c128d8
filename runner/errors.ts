/** Every way Berth itself can refuse or fail. A test keeps this list and `docs/errors.md` in step. */
export const ERROR_CODES = [
  "USAGE",
  "WORKFLOW_INVALID",
  "INPUT_INVALID",
  "CONFIG_INVALID",
  "ENGINE_NOT_FOUND",
  "ENGINE_LOST",
  "ENGINE_REFUSED",
  "DISK_FULL",
  "IMAGE_NOT_FOUND",
  "IMAGE_UNUSABLE",
  "CONTAINER_OPTION",
  "DIND_UNUSABLE",
  "SHELL_LOST",
  "SHELL_PROTOCOL",
  "SHELL_SUPERSEDED",
  "JOURNAL_MISMATCH",
  "SETUP_FAILED",
  "ACTION_INVALID",
  "ACTION_NOT_FOUND",
  "ACTION_FETCH_FAILED",
  "ACTION_BUILD_FAILED",
  "SERVICE_FAILED",
  "WORKING_TREE_UNREADABLE",
  "POLICY_DENIED",
  "GITHUB_REFUSED",
  "GITHUB_UNREACHABLE",
  "STORE_UNUSABLE",
  "HOST_UNUSABLE",
  "HOST_UNREACHABLE",
  "HOST_KEY_UNKNOWN",
  "HOST_KEY_CHANGED",
  "HOST_LOGIN_REFUSED",
  "SERVICE_NOT_RUNNING",
  "PORT_IN_USE",
  "NOT_SUPPORTED_YET",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The one error class. Callers compare `code`, never the text. */
export class BerthError extends Error {
  readonly code: ErrorCode;
  /** One sentence that says what to do next; printed below the message. */
  readonly remedy: string | undefined;

  constructor(
    code: ErrorCode,
    details: { message: string; remedy?: string | undefined; cause?: unknown },
  ) {
    super(details.message, { cause: details.cause });
    this.name = "BerthError";
    this.code = code;
    this.remedy = details.remedy;
  }
}

/** What was thrown, in its own words; anything can be. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
