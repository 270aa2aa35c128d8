import type { Conclusion } from "../../../runner/job/job-description.ts";
import type { Style } from "./style.ts";

/** One sign for how something ended. */
export function mark(conclusion: Conclusion, style: Style): string {
  switch (conclusion) {
    case "success":
      return style.green("✓");
    case "failure":
      return style.red("✗");
    case "cancelled":
      return style.yellow("■");
    case "skipped":
      return style.gray("-");
    default:
      return conclusion satisfies never;
  }
}
