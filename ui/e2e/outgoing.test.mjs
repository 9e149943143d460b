// What goes out of Stanch, as Sources & connectors shows it: Slack's connection, mail and webhooks that are well,
// fail, are off, and are well again. Waits for states only.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, calm, loaded } from "./parts.mjs";
import { beacon, patience, World } from "./world.mjs";

let world, slack, receiver;

const listen = (server, port = 0) => new Promise((done) => server.listen(port, "127.0.0.1", () => done(server.address().port)));

/** Slack, as far as its connection goes: refuses us until it is told to let us in. */
function makeSlack() {
  const all = { open: false, sockets: [] };
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const url = `ws://127.0.0.1:${server.address().port}/link/?ticket=1`;
      const said = all.open ? { ok: true, url, channel: "C1", ts: "1.1" } : { ok: false, error: "invalid_auth" };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
    });
  });
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const frame = (op, text) => socket.write(Buffer.concat([Buffer.from([0x80 | op, text.length]), Buffer.from(text)]));
    frame(1, JSON.stringify({ type: "hello", num_connections: 1 }));
    // A ping that is never answered ends a connection after half a minute: long after this journey.
    socket.on("error", () => undefined).resume();
    all.sockets.push(socket);
  });
  return Object.assign(all, { server });
}

/** Another program that is gone until it is back. */
function makeReceiver() {
  const all = { status: 410, took: [] };
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (d) => (body += d));
    request.on("end", () => {
      if (all.status < 300) all.took.push(JSON.parse(body).type);
      response.writeHead(all.status).end();
    });
  });
  return Object.assign(all, { server });
}

before(async () => {
  slack = makeSlack();
  receiver = makeReceiver();
  const port = await listen(slack.server);
  world = await World.make({
    prepare: async (config) => {
      await writeFile(join(config, "secrets/slack.token"), "xoxb-of-the-journey\n", { mode: 0o600 });
      await writeFile(join(config, "secrets/slack.app"), "xapp-of-the-journey\n", { mode: 0o600 });
      await writeFile(
        join(config, "connectors/chat.yaml"),
        `notifiers:
  - name: chat
    type: slack
    url: http://127.0.0.1:${port}/api
    token: { file: secrets/slack.token }
    app_token: { file: secrets/slack.app }
  - { name: spare, type: smtp, host: mail.example.com, from: stanch@example.com }
`,
      );
    },
  });
});
after(async () => {
  await world?.close();
  for (const socket of slack.sockets) socket.destroy();
  for (const { server } of [slack, receiver]) await new Promise((done) => server.close(done).closeAllConnections());
});

test("what goes out is shown as it is: ok, failing, off, and switched on again", { timeout: patience(180_000) }, async () => {
  const page = await world.window();
  await page.goto("/sources");
  const row = (table, name) => page.getByRole("table").filter({ has: page.getByRole("columnheader", { name: table }) }).getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
  const connector = (name) => row("What for", name);
  const hook = row("Delivered", /HOOK-1/);
  const shows = (of, words) => of.getByText(words).first().waitFor({ timeout: patience(90_000) });

  // Slack lets nobody in: no click could come, although no message waits.
  await shows(connector("chat"), /^failing/);
  await shows(connector("chat"), /clicks in Slack do not come in: .*invalid_auth/);
  await shows(connector("spare"), /^off$/);
  await shows(connector("mail"), /^ok$/);
  await page.getByText("No other program is told what happens").waitFor();
  slack.open = true;
  await shows(connector("chat"), /Socket Mode: open since/);
  await shows(connector("chat"), /^ok$/);

  // The mail server is away, and the receiver of a webhook is gone.
  await world.mail.pause();
  const url = `http://127.0.0.1:${await listen(receiver.server)}/secret-path`;
  await world.api("/api/v1/webhooks", { url, events: ["incident.opened"] });
  await shows(hook, /^ok$/);
  await world.send(beacon(1));
  await shows(connector("mail"), /^failing: 1 failure|^failing: \d+ failures/);
  await shows(hook, /^off$/);
  await shows(hook, /answered 410/);
  await loaded(page);
  assert.ok(!(await page.locator("main").innerText()).includes("secret-path"), "the path may be a secret");
  await accessible(page, "outgoing links");

  // Both are mended: mail by itself, the webhook by a person.
  await world.mail.resume();
  await shows(connector("mail"), /^ok$/);
  receiver.status = 204;
  await hook.getByRole("button", { name: "Switch on again" }).click();
  await shows(hook, /^ok$/);
  assert.equal(await hook.getByRole("button").count(), 0);
  await world.happens("what waited", () => receiver.took.includes("incident.opened"));
  calm(page);
  await page.context().close();

  // Who may not name receivers does not see them.
  const other = await world.window({ person: "watcher" });
  await other.goto("/sources");
  await other.getByRole("heading", { name: "Connectors", exact: true }).waitFor();
  await loaded(other);
  assert.equal(await other.getByRole("heading", { name: "Webhooks", exact: true }).count(), 0);
  calm(other);
  await other.context().close();
});
