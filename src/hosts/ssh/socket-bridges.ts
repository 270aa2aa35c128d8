import { asOneWord } from "./open-session.ts";

/** What the machine says of a socket. */
export type SocketLook = {
  /** For the login itself: it may open it, it may not, or there is none that it could see. */
  readonly socket: "open" | "closed" | "none";
  /** With `sudo -n`. */
  readonly asRoot: "open" | "none" | "no-sudo";
  readonly tools: readonly Tool[];
};

const TOOLS = ["docker", "socat", "nc", "python3", "perl"] as const;
type Tool = (typeof TOOLS)[number];

/** Looks at a socket; changes nothing. */
export function lookScript(path: string, sudo: boolean): string {
  return [
    `p=${asOneWord(path)}`,
    'if [ -S "$p" ]; then if [ -r "$p" ] && [ -w "$p" ]; then echo socket open; else echo socket closed; fi; else echo socket none; fi',
    sudo
      ? 'if sudo -n true 2>/dev/null; then if sudo -n test -S "$p"; then echo root open; else echo root none; fi; else echo root no-sudo; fi'
      : "echo root no-sudo",
    `for tool in ${TOOLS.join(" ")}; do command -v $tool >/dev/null 2>&1 && echo tool $tool; done`,
    "true",
  ].join("\n");
}

export function readLook(text: string): SocketLook {
  const values = (name: string) =>
    text
      .split("\n")
      .flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));
  const [socket] = values("socket");
  const [root] = values("root");
  return {
    socket: socket === "open" || socket === "closed" ? socket : "none",
    asRoot: root === "open" || root === "none" ? root : "no-sudo",
    tools: TOOLS.filter((tool) => values("tool").includes(tool)),
  };
}

/** Commands that carry bytes between their own streams and the socket, the best first; either side can be ended alone. */
export function bridgeCommands(path: string, look: SocketLook, sudo: boolean): string[] {
  const plain = look.socket === "open" ? look.tools.map((tool) => commandOf(tool, path)) : [];
  const isForRoot = sudo && look.asRoot === "open" && look.socket !== "open";
  return isForRoot ? look.tools.map((tool) => `sudo -n ${commandOf(tool, path)}`) : plain;
}

function commandOf(tool: Tool, path: string): string {
  switch (tool) {
    case "docker":
      return `docker -H ${asOneWord(`unix://${path}`)} system dial-stdio`;
    case "socat":
      // Without -t it gives up half a second after one side has ended.
      return `socat -t 31536000 STDIO ${asOneWord(`UNIX-CONNECT:${path}`)}`;
    case "nc":
      return `nc -N -U ${asOneWord(path)}`;
    case "python3":
      return `python3 -c ${asOneWord(`exec(bytes.fromhex("${hex(PYTHON)}"))`)} ${asOneWord(path)}`;
    case "perl":
      return `perl -e ${asOneWord(`eval pack(q(H*),q(${hex(PERL)}))`)} ${asOneWord(path)}`;
    default:
      return tool satisfies never;
  }
}

/** No login shell may see a line break or a quote in a program. */
function hex(program: string): string {
  return Buffer.from(program).toString("hex");
}

const PYTHON = `
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def up():
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    data = s.recv(65536)
    if not data:
        break
    while data:
        data = data[os.write(1, data):]
os._exit(0)
`;

const PERL = `
use Socket;
socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, sockaddr_un($ARGV[0])) or die "$!\\n";
sub carry {
  my ($from, $to, $data) = @_;
  while (sysread($from, $data, 65536)) {
    while (length $data) { substr($data, 0, syswrite($to, $data) || exit) = ""; }
  }
}
my $up = fork;
if (!$up) { carry(*STDIN, *S); shutdown(S, 1); exit; }
carry(*S, *STDOUT);
kill 9, $up;
`;
