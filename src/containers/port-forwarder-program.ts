/**
 * What the port forwarder runs, as a text: a bundler may change functions, but not strings. It reads one line of JSON, a list of `ForwardRequest`
 * (`port-forwarder.ts`), listens, and answers with one line, a list of `ForwardAnswer` in the same order. CommonJS for any Node from 20 on.
 */
export const FORWARDER_PROGRAM = String.raw`
"use strict";
const net = require("node:net");
const dgram = require("node:dgram");
const readline = require("node:readline");

const UDP_IDLE_MS = 60000;
const UDP_FLOWS = 4096;
const FREE_PORT_TRIES = 8;

const lines = readline.createInterface({ input: process.stdin });
lines.once("line", async (line) => {
  lines.close();
  const answers = [];
  for (const request of JSON.parse(line)) answers.push(await forward(request));
  process.stdout.write(JSON.stringify(answers) + "\n");
});

// One port that cannot be served must not end those that can.
const ignore = () => {};

async function forward({ addresses, ports, protocol, target }) {
  const open = protocol === "udp" ? openUdp : openTcp;
  let problem;
  for (const port of ports) {
    try {
      return { port: await openAll(open, addresses, port, target), problem };
    } catch (error) {
      problem = error.code || error.message;
    }
  }
  for (let left = FREE_PORT_TRIES; ; left--) {
    try {
      return { port: await openAll(open, addresses, 0, target), problem };
    } catch (error) {
      if (left === 0) return { port: 0, problem: error.code || error.message };
    }
  }
}

// The same port on every address; a container without IPv6 lacks ::1.
async function openAll(open, addresses, port, target) {
  const opened = [];
  try {
    for (const address of addresses) {
      const first = opened[0];
      const server = await open(address, first ? first.address().port : port, target).catch((error) => {
        if (first && ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.code)) return undefined;
        throw error;
      });
      if (server) opened.push(server);
    }
    return opened[0].address().port;
  } catch (error) {
    for (const server of opened) server.close();
    throw error;
  }
}

function openTcp(address, port, target) {
  const options = { allowHalfOpen: true, noDelay: true };
  const server = net.createServer(options, (client) => {
    const service = net.connect({ ...options, ...target });
    // The end of one direction travels alone, as pipe() does it; a reset ends both.
    client.on("error", () => service.resetAndDestroy());
    service.on("error", () => client.resetAndDestroy());
    client.pipe(service);
    service.pipe(client);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, backlog: 4096 }, () => {
      server.off("error", reject);
      server.on("error", ignore);
      resolve(server);
    });
  });
}

function openUdp(address, port, target) {
  const server = dgram.createSocket(net.isIPv6(address) ? "udp6" : "udp4");
  const flows = new Map();

  // Each client has a socket of its own, so that answers find their way back.
  function openFlow(key, client) {
    const socket = dgram.createSocket(net.isIPv6(target.host) ? "udp6" : "udp4");
    const waiting = [];
    let isOpen = false;
    const timer = setTimeout(close, UDP_IDLE_MS);
    const flow = { send, close };
    if (flows.size >= UDP_FLOWS) flows.values().next().value.close();
    flows.set(key, flow);
    socket.on("error", close);
    socket.on("message", (data) => {
      timer.refresh();
      server.send(data, client.port, client.address, ignore);
    });
    socket.connect(target.port, target.host, (error) => {
      if (error) return close();
      isOpen = true;
      for (const data of waiting.splice(0)) socket.send(data, ignore);
    });
    return flow;

    function send(data) {
      timer.refresh();
      if (isOpen) socket.send(data, ignore);
      else if (waiting.length < 256) waiting.push(data);
    }
    function close() {
      if (flows.get(key) !== flow) return;
      flows.delete(key);
      clearTimeout(timer);
      isOpen = false;
      socket.close();
    }
  }

  server.on("message", (data, client) => {
    const key = client.address + " " + client.port;
    (flows.get(key) || openFlow(key, client)).send(data);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.bind({ address, port, exclusive: true }, () => {
      server.off("error", reject);
      server.on("error", ignore);
      resolve(server);
    });
  });
}
`;
