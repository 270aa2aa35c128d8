/** Where a container has the program that begins a session; `setsid` does the same where it is missing. */
export const SESSION_PROGRAM = "/__e/session";

/** The machines whose instructions it is written in, as `process.arch` names them. */
export type SessionArchitecture = "x64" | "arm64";

/**
 * An executable that makes its process the leader of a new session and then becomes the program that its arguments name, an absolute path. Exit
 * code 126 when that cannot be.
 *
 * `setsid` of the distributions does this too, but loads a C library and a locale first, for every step of every job: 1.4 ms, where this takes
 * 0.1. It is one page of memory: a header, and a dozen instructions that are written out here since no compiler is to be had where it is made.
 */
export function sessionProgram(architecture: SessionArchitecture): Buffer {
  const machine = MACHINES[architecture];
  const code = Buffer.from(machine.code.join("").replaceAll(" ", ""), "hex");
  const header = Buffer.alloc(HEADERS_BYTES);
  // The ELF header: 64 bits, little-endian, an executable whose program headers follow at once.
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine.number, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(ADDRESS + HEADERS_BYTES), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  // Its one program header: the whole file, to be read and executed.
  const size = BigInt(HEADERS_BYTES + code.length);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(BigInt(ADDRESS), 80);
  header.writeBigUInt64LE(BigInt(ADDRESS), 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(BigInt(PAGE_BYTES), 112);
  return Buffer.concat([header, code]);
}

const HEADERS_BYTES = 64 + 56;
const ADDRESS = 0x40_0000;
const PAGE_BYTES = 0x1_0000;

/** At the start the stack holds the number of arguments, the arguments, a null, the environment. */
const MACHINES: {
  readonly [architecture in SessionArchitecture]: {
    readonly number: number;
    readonly code: readonly string[];
  };
} = {
  x64: {
    number: 62,
    code: [
      "b8 70000000  0f05", // mov eax, 112; syscall                      setsid()
      "48 8b0c24", //         mov rcx, [rsp]
      "48 8d742410", //       lea rsi, [rsp + 16]                        from the second argument on
      "48 8d54cc10", //       lea rdx, [rsp + 8 * rcx + 16]              the environment
      "48 8b3e", //           mov rdi, [rsi]
      "b8 3b000000  0f05", // mov eax, 59; syscall                       execve(rdi, rsi, rdx)
      "bf 7e000000", //       mov edi, 126
      "b8 3c000000  0f05", // mov eax, 60; syscall                       exit(126)
    ],
  },
  arm64: {
    number: 183,
    code: [
      "a81380d2  010000d4", // mov x8, 157; svc 0                        setsid()
      "e90340f9", //           ldr x9, [sp]
      "e1430091", //           add x1, sp, 16                            from the second argument on
      "e26f298b", //           add x2, sp, x9, lsl 3
      "42400091", //           add x2, x2, 16                            the environment
      "200040f9", //           ldr x0, [x1]
      "a81b80d2  010000d4", // mov x8, 221; svc 0                        execve(x0, x1, x2)
      "c00f80d2", //           mov x0, 126
      "a80b80d2  010000d4", // mov x8, 93; svc 0                         exit(126)
    ],
  },
};
