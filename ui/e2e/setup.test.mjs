// From nothing: `stanch up`, the first administrator, the first source, the first story; then a second person
// by a link, a token for a program, and a new password. Real browser, real server, nothing prepared.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { accessible, calm, fits, pictures } from "./parts.mjs";
import { beacon, patience, program, run, watched } from "./world.mjs";

const PASSWORD = "four words of it";
let dir, config, up, link, browser;

/** Runs `stanch up` in a folder of its own; gives the address it prints. */
async function stanchUp() {
  const words = ["up", "--config", config, "--data", join(dir, "data"), "--listen", "127.0.0.1:0"];
  up = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  up.log = "";
  up.stderr.on("data", (d) => {
    up.log += d;
  });
  return new Promise((done, fail) => {
    createInterface({ input: up.stdout }).once("line", done);
    up.once("exit", (code) => fail(new Error(`stanch up ended with ${code}: ${up.log}`)));
  });
}

async function down() {
  if (up.exitCode !== null) return;
  const gone = new Promise((done) => up.once("exit", done));
  up.kill("SIGTERM");
  await gone;
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "stanch-up-"));
  config = join(dir, "stanch");
  link = await stanchUp();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
});
after(async () => {
  await browser?.close();
  await down();
  await rm(dir, { recursive: true, force: true });
});

async function window() {
  const context = await browser.newContext({ baseURL: new URL(link).origin, reducedMotion: "reduce", locale: "en-GB" });
  const page = await watched(context);
  page.setDefaultTimeout(patience(30_000));
  return page;
}

let admin;

test("one address makes the first administrator, once", { timeout: patience(180_000) }, async () => {
  assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/setup#[0-9a-f]{64}$/);
  assert.ok(existsSync(join(config, "stanch.yaml")), "the configuration was made");
  admin = await window();
  await admin.goto(link);
  await admin.getByLabel("Your name").fill("maria");
  await accessible(admin, "setup 1");
  await pictures(admin, "setup-account");
  assert.equal(new URL(admin.url()).hash, "", "the secret leaves the address at once");
  await admin.getByLabel("A password for you").fill(PASSWORD);
  await admin.getByLabel("The same again").fill("something else here");
  await admin.getByRole("button", { name: "Make the first administrator" }).click();
  await admin.getByRole("alert").filter({ hasText: "not the same" }).waitFor();
  await admin.getByLabel("The same again").fill(PASSWORD);
  await admin.getByRole("button", { name: "Make the first administrator" }).click();
  await admin.getByLabel("What sends you alerts?").waitFor();
  calm(admin);

  const late = await window();
  await late.goto(link);
  await late.getByLabel("Your name").fill("mallory");
  await late.getByLabel("A password for you").fill(PASSWORD);
  await late.getByLabel("The same again").fill(PASSWORD);
  await late.getByRole("button", { name: "Make the first administrator" }).click();
  await late.getByRole("alert").filter({ hasText: "used up" }).waitFor();
  await late.context().close();
  assert.ok(!up.log.includes(new URL(link).hash.slice(1)), "the token is in no log");
});

test("the command it shows sends to the first source, and the page sees it come in", { timeout: patience(180_000) }, async () => {
  await accessible(admin, "setup 2");
  await pictures(admin, "setup-source");
  const shown = await admin.locator("figure pre").first().innerText();
  assert.match(shown, /^stanch ingest FILE --source suricata --config \S+ --server http/);
  const file = join(dir, "eve.json");
  await writeFile(file, `${JSON.stringify({ ...beacon(5), alert: { ...beacon(5).alert, signature: "ET INFO something seen", severity: 3, category: "Misc activity", metadata: {} } })}\n`);
  await run(program, shown.split(" ").slice(1).map((w) => (w === "FILE" ? file : w)));
  await admin.getByText("1 record came in from suricata").waitFor();
  await admin.getByRole("button", { name: "Next" }).click();
  calm(admin);
});

test("the sample tells a story that is marked, and one click takes it away", { timeout: patience(180_000) }, async () => {
  await admin.getByRole("button", { name: "Send a sample" }).click();
  await admin.getByRole("heading", { name: /The first story: INC-/ }).waitFor();
  await admin.getByLabel("The story").filter({ hasText: "203.0.113.9" }).waitFor();
  await accessible(admin, "setup 3");
  await pictures(admin, "setup-story");
  await fits(admin, "setup 3");
  await admin.getByRole("link", { name: "Open the incident" }).click();
  await admin.getByRole("heading", { level: 1, name: /^Sample data: / }).waitFor();
  const banner = admin.getByText("Sample data is shown.");
  await banner.waitFor();
  await admin.goto("/queue");
  await admin.locator(".grid .row").filter({ hasText: "Sample data" }).waitFor();
  await admin.getByRole("button", { name: "Take it away" }).click();
  await banner.waitFor({ state: "detached" });
  // The row under the cursor never vanishes: it is greyed until the list is asked for anew.
  await admin.locator(".grid .row.gone").filter({ hasText: "Sample data" }).waitFor();
  await admin.goto("/queue?status=all");
  await admin.getByText(/Nothing|nothing|All clear|No incident|0 incidents/).first().waitFor();
  assert.equal(await admin.locator(".grid .row").count(), 0);
  calm(admin);
});

test("a second person comes in by a link, and is shut out at once when the account is", { timeout: patience(180_000) }, async () => {
  await admin.goto("/settings");
  await admin.getByRole("button", { name: "Add somebody…" }).click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByLabel("Name, as the journal will show it").fill("jon");
  await dialog.getByRole("button", { name: "Add, and make a link" }).click();
  const invitation = await admin.getByRole("dialog").filter({ hasText: "A link for jon" }).locator("code").innerText();
  assert.match(invitation, /\/welcome#[0-9a-f]{64}$/);
  await admin.getByRole("button", { name: "I have it" }).click();
  const jon = await window();
  await jon.goto(invitation);
  await jon.getByLabel("A password for you").fill("short");
  await accessible(jon, "welcome");
  await jon.getByLabel("A password for you").fill("jon is the word");
  await jon.getByLabel("The same again").fill("jon is the word");
  await jon.getByRole("button", { name: "Set the password and come in" }).click();
  await jon.getByRole("alert").filter({ hasText: "your name" }).waitFor();
  await jon.getByLabel("A password for you").fill("a good few words");
  await jon.getByLabel("The same again").fill("a good few words");
  await jon.getByRole("button", { name: "Set the password and come in" }).click();
  await jon.locator("nav.nav").waitFor({ state: "attached" });
  calm(jon);
  await admin.getByRole("button", { name: "Shut the account of jon" }).click();
  await admin.getByRole("cell", { name: "account shut" }).waitFor();
  await jon.goto("/queue");
  await jon.waitForURL(/\/signin/);
  await jon.getByLabel("Your name").fill("jon");
  await jon.getByLabel("Your password").fill("a good few words");
  await jon.getByRole("button", { name: "Sign in" }).click();
  await jon.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
  await accessible(jon, "signin by password");
  await jon.context().close();
  calm(admin);
});

test("a token is shown once, works for a program, and is worth nothing once taken back", { timeout: patience(180_000) }, async () => {
  await admin.getByLabel("What the new one is for").fill("nightly report");
  await admin.getByRole("button", { name: "Make a token" }).click();
  const secret = await admin.getByRole("dialog").locator("code").innerText();
  await accessible(admin, "a token, shown once");
  await admin.getByRole("button", { name: "I have it" }).click();
  const origin = new URL(link).origin;
  const ask = () => fetch(`${origin}/api/v1/whoami`, { headers: { authorization: `Bearer ${secret}` } });
  assert.deepEqual(await (await ask()).json(), { name: "maria", role: "viewer", may: ["look"], teams: [], way: "api_token" });
  await admin.getByRole("button", { name: /Take back TOK-/ }).click();
  await admin.getByText("No token. Programs and scripts").waitFor();
  assert.equal((await ask()).status, 401);
  await fits(admin, "settings");
  await accessible(admin, "settings");
  calm(admin);
});

test("after a restart there is nothing to set up, and the password opens the door", { timeout: patience(180_000) }, async () => {
  await down();
  link = await stanchUp();
  assert.match(link, /^http:\/\/127\.0\.0\.1:\d+$/, "no set-up token once there is an administrator");
  const page = await window();
  await page.goto("/settings");
  await page.getByLabel("Your name").fill("maria");
  await page.getByLabel("Your password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Who may come in" }).waitFor();
  assert.match(page.url(), /\/settings/);
  const kept = await readFile(join(dir, "data/identity.json"), "utf8");
  assert.ok(kept.includes("$argon2id$") && !kept.includes(PASSWORD));
  calm(page);
});
