// A Stanch of its own for a test run: the demonstration's configuration and recording in a temporary
// folder, the real server, the real intake, and a mail server that reads and delivers nothing.
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const program = process.env.STANCH_BIN ?? join(root, "target/debug/stanch");
export const run = promisify(execFile);

/** How many times slower this machine is made (STANCH_E2E_SLOW); 1 unless told. Waits become as much longer. */
export const SLOW = Math.max(1, Number(process.env.STANCH_E2E_SLOW ?? 1));
/** A time to wait at most, in milliseconds. Long: it is used up only where something never comes. */
export const patience = (ms) => ms * SLOW;

/** Speaks enough SMTP to take a mail, and keeps what it took. */
async function mailServer() {
  const mails = [];
  const open = new Set();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    let body = null;
    const say = (line) => socket.writable && socket.write(`${line}\r\n`);
    say("220 test ESMTP");
    socket.on("error", () => undefined);
    createInterface({ input: socket }).on("line", (line) => {
      if (body !== null) {
        if (line !== ".") return body.push(line);
        mails.push(body.join("\n"));
        body = null;
        return say("250 ok");
      }
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === "EHLO") return say("250 test");
      if (verb === "DATA") {
        body = [];
        return say("354 go on");
      }
      if (verb === "QUIT") {
        say("221 bye");
        return socket.end();
      }
      return say("250 ok");
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  /** Away, also for whoever is connected; and back on the same port. */
  const pause = () =>
    new Promise((done) => {
      server.close(done);
      for (const socket of open) socket.destroy();
    });
  const resume = () => new Promise((done) => server.listen(port, "127.0.0.1", done));
  return { mails, port, close: () => server.close(), pause, resume };
}

export async function change(file, ...pairs) {
  let text = await readFile(file, "utf8");
  for (const [from, to] of pairs) {
    if (!from.test(text)) throw new Error(`${file} does not say ${from} any more`);
    text = text.replace(from, to);
  }
  await writeFile(file, text);
}

async function configure(dir, mailPort, ttl, netns) {
  const config = join(dir, "config");
  await cp(join(root, "demo/config"), config, { recursive: true });
  const firewall = netns ? `type: nftables\n    netns: ${netns}` : "type: simulated";
  await writeFile(join(config, "connectors/firewall.yaml"), `responders:\n  - name: edge-fw\n    ${firewall}\n`);
  await change(join(config, "connectors/mail.yaml"), [/port: 2525/, `port: ${mailPort}`]);
  await change(join(config, "playbooks/c2-beacon.yaml"), [/ttl: 8s/, `ttl: ${ttl}`]);
  const people = join(config, "policies/people.yaml");
  await writeFile(people, `${await readFile(people, "utf8")}  watcher:\n    token: { file: secrets/watcher.token }\n    role: viewer\n`);
  const containment = join(config, "policies/containment.yaml");
  const guarded = 'protected:\n  - { net: 10.0.0.1/32, why: "default gateway of the server network" }\n';
  await writeFile(containment, `${await readFile(containment, "utf8")}${guarded}`);
  await mkdir(join(config, "secrets"));
  const tokens = {};
  for (const name of ["suricata", "demo-operator", "watcher"]) {
    tokens[name] = randomBytes(24).toString("hex");
    await writeFile(join(config, "secrets", `${name}.token`), `${tokens[name]}\n`, { mode: 0o600 });
  }
  return { config, tokens };
}

export class World {
  /** `prepare` may change the folder of the configuration before the server reads it. */
  static async make({ ttl = "10m", netns, listen = "127.0.0.1:0", prepare = async () => undefined } = {}) {
    const world = new World();
    world.dir = await mkdtemp(join(tmpdir(), "stanch-e2e-"));
    world.mail = await mailServer();
    Object.assign(world, await configure(world.dir, world.mail.port, ttl, netns));
    await prepare(world.config);
    await world.start(listen);
    return world;
  }

  async start(listen) {
    const words = ["serve", "--config", this.config, "--data", join(this.dir, "data"), "--listen", listen];
    this.server = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    this.log = "";
    this.server.stderr.on("data", (d) => {
      this.log += d;
    });
    const first = createInterface({ input: this.server.stdout });
    this.url = await new Promise((done, fail) => {
      first.once("line", (line) => done(line.match(/http:\S+/)[0]));
      this.server.once("exit", (code) => fail(new Error(`the server ended with ${code}: ${this.log}`)));
    });
  }

  async stopServer() {
    const gone = new Promise((done) => this.server.once("exit", done));
    this.server.kill("SIGTERM");
    await gone;
  }

  /** The same again, on the same port. */
  async again() {
    await this.start(new URL(this.url).host);
  }

  async ingestDemo() {
    const capture = join(root, "demo/capture/cptc-2017-team1.eve.json.gz");
    await run(program, ["ingest", capture, "--source", "suricata", "--config", this.config, "--server", this.url, "--quiet"]);
    await this.until("/api/v1/approvals?pending=true", (v) => v.pending > 0);
  }

  async send(...records) {
    const body = records.map((r) => `${JSON.stringify(r)}\n`).join("");
    const headers = { authorization: `Bearer ${this.tokens.suricata}` };
    const answer = await fetch(`${this.url}/in/suricata`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  }

  async api(path, body) {
    const headers = { authorization: `Bearer ${this.tokens["demo-operator"]}`, "content-type": "application/json" };
    const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
    const answer = await fetch(this.url + path, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async put(path, body) {
    const headers = { authorization: `Bearer ${this.tokens["demo-operator"]}`, "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method: "PUT", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async until(path, seen) {
    const end = Date.now() + patience(60_000);
    for (;;) {
      const value = await this.api(path);
      if (seen(value)) return value;
      if (Date.now() > end) throw new Error(`${path} never showed it: ${JSON.stringify(value).slice(0, 500)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Waits until something outside the page is so. */
  async happens(what, seen) {
    const end = Date.now() + patience(30_000);
    while (!seen()) {
      if (Date.now() > end) throw new Error(`it never came: ${what}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async close() {
    await this.browser?.close();
    if (this.server.exitCode === null) await this.stopServer();
    this.mail.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** A browser window, signed in unless `person` is null. Fails the test at any error of a page. */
  async window({ person = "demo-operator", theme = "dark", width = 1440, height = 900 } = {}) {
    this.browser ??= await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: "reduce",
      baseURL: this.url,
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
    });
    const page = await watched(context);
    page.setDefaultTimeout(patience(30_000));
    if (process.env.STANCH_DIST) await fromDisk(context, process.env.STANCH_DIST);
    if (person) await signIn(page, this.tokens[person]);
    return page;
  }
}

/** A page that writes down every error, every dialog and every breach of the content policy. */
export async function watched(context) {
  const page = await context.newPage();
  if (SLOW > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: SLOW });
  page.trouble = [];
  page.on("pageerror", (e) => page.trouble.push(`error: ${e.message}`));
  page.on("dialog", (d) => {
    page.trouble.push(`dialog: ${d.message()}`);
    void d.dismiss();
  });
  page.on("console", (m) => {
    const policy = /Content Security Policy|Trusted ?Type/i.test(m.text());
    if (policy || (m.type() === "error" && !/Failed to load resource|net::ERR/.test(m.text()))) page.trouble.push(`console: ${m.text()}`);
  });
  return page;
}

/** While one works on the pages: those of a folder instead of those in the program, under the program's own policy. */
async function fromDisk(context, dist) {
  await context.route(/^[^?]*\/(assets\/|theme\.js)[^?]*$/, async (route) => {
    const path = join(dist, new URL(route.request().url()).pathname);
    await route.fulfill({ path, contentType: path.endsWith(".css") ? "text/css" : "text/javascript" });
  });
  await context.route("**/*", async (route) => {
    if (route.request().resourceType() !== "document") return route.fallback();
    const answer = await route.fetch();
    return route.fulfill({ response: answer, body: await readFile(join(dist, "index.html"), "utf8") });
  });
}

export async function signIn(page, token) {
  await page.goto("/");
  await page.getByLabel("Your token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("nav.nav").waitFor({ state: "attached" });
}

export function beacon(n, more = {}) {
  return {
    timestamp: new Date(Date.now() - 60_000 + n).toISOString().replace("Z", "+0000"),
    flow_id: 9_000_000 + n,
    event_type: "alert",
    src_ip: `10.20.${Math.floor(n / 200)}.${(n % 200) + 1}`,
    src_port: 50_000,
    dest_ip: `198.51.100.${(n % 250) + 1}`,
    dest_port: 443,
    proto: "TCP",
    flow: { pkts_toserver: 12, pkts_toclient: 10, bytes_toserver: 4_000, bytes_toclient: 9_000, state: "established" },
    alert: {
      signature_id: 2_035_000 + n,
      gid: 1,
      rev: 1,
      signature: "ET MALWARE Observed CnC beacon",
      category: "Malware Command and Control Activity Detected",
      severity: 1,
      metadata: { mitre_technique_id: ["T1071"], mitre_tactic_id: ["TA0011"] },
    },
    ...more,
  };
}
