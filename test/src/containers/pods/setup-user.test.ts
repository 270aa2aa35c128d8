import { describe, expect, it } from "@jest/globals";
import { setEnvOf } from "../../../../src/containers/pods/setup-user.ts";

describe("setEnvOf", () => {
  it("keeps the container's variables for sessions, and adds a UTF-8 locale", () => {
    expect(setEnvOf(["PATH=/opt/bin:/bin", "A=b c", "HOME=/root"])).toBe(
      '"PATH=/opt/bin:/bin" "A=b c" "LANG=C.UTF-8"',
    );
  });

  it("leaves out what one line of sshd_config cannot hold", () => {
    expect(setEnvOf(["LANG=C.UTF-8", 'Q=say "hi"', "L=1\n2", "B=a\\b", "a b=c"])).toBe(
      '"LANG=C.UTF-8"',
    );
  });
});
