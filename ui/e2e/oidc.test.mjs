// Sign-in through a real OpenID Connect provider (the npm package `oidc-provider`), in a real browser.
import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { spawn } from "node:child_process";
import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import Provider from "oidc-provider";
import { chromium } from "playwright-core";
import { accessible, calm } from "./parts.mjs";
import { beacon, patience, program, root, run, watched } from "./world.mjs";

const SECRET = "a-secret-of-the-test-and-of-nothing-else";
/** What groups people of the provider have; changed by the tests. */
const groups = { maria: ["soc"], guest: ["visitors"], admin: ["soc"] };
let dir, server, log, base, issuer, listening, browser;

/** A port that is free now. */
async function free() {
  const s = createServer();
  await new Promise((done) => s.listen(0, "127.0.0.1", done));
  const { port } = s.address();
  await new Promise((done) => s.close(done));
  return port;
}

function key(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
}

/** A provider with keys of its own; the one before is gone. */
async function provide(kid) {
  if (listening) await new Promise((done) => listening.close(done).closeAllConnections());
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "stanch",
        client_secret: SECRET,
        redirect_uris: [`${base}/api/v1/session/provider/return`],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    // So that the groups stand in the ID token, as they do with the usual products.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    jwks: { keys: [key(kid)] },
    cookies: { keys: [randomUUID()] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: groups[id] ?? [] }),
    }),
  });
  provider.on("server_error", (_, e) => console.error("provider:", e));
  await new Promise((done) => {
    listening = provider.listen(new URL(issuer).port, "127.0.0.1", done);
  });
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "stanch-oidc-"));
  const [own, theirs] = [await free(), await free()];
  base = `http://127.0.0.1:${own}`;
  issuer = `http://127.0.0.1:${theirs}`;
  await provide("first");
  const config = join(dir, "config");
  await run(program, ["init", config]);
  const people = join(config, "policies/people.yaml");
  const provider = `provider:
  title: the test provider
  issuer: ${issuer}
  client_id: stanch
  client_secret: { file: secrets/sso.secret }
  url: ${base}
  allow_private: [127.0.0.0/8]
  roles:
    - { group: leads, role: approver, teams: [netops] }
    - { group: soc, role: analyst, teams: [secops] }
`;
  await writeFile(people, `${await readFile(people, "utf8")}\n${provider}`);
  await writeFile(join(config, "secrets/sso.secret"), `${SECRET}\n`, { mode: 0o600 });
  // A question that takes a fresh proof of the person.
  await copyFile(join(root, "playbooks/c2-beacon.yaml"), join(config, "playbooks/c2-beacon.yaml"));
  await appendFile(join(config, "policies/containment.yaml"), "fresh_proof_for: [block_address]\napproval_expires: 1h\n");
  await run(program, ["check", "--config", config]);
  const words = ["serve", "--config", config, "--data", join(dir, "data"), "--listen", `127.0.0.1:${own}`];
  server = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  log = "";
  server.stderr.on("data", (d) => {
    log += d;
  });
  await new Promise((done, fail) => {
    createInterface({ input: server.stdout }).once("line", done);
    server.once("exit", (code) => fail(new Error(`stanch ended with ${code}: ${log}`)));
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
});
after(async () => {
  await browser?.close();
  if (server && server.exitCode === null) {
    const gone = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await gone;
  }
  listening?.close().closeAllConnections();
  await rm(dir, { recursive: true, force: true });
});

async function window() {
  const context = await browser.newContext({ baseURL: base, reducedMotion: "reduce", locale: "en-GB" });
  const page = await watched(context);
  page.setDefaultTimeout(patience(30_000));
  return page;
}

/** Through the provider's own pages: sign in there, agree, come back. */
async function through(page, who) {
  await page.goto("/signin");
  await page.getByRole("link", { name: "Sign in with the test provider" }).click();
  await page.locator('input[name="login"]').fill(who);
  await page.locator('input[name="password"]').fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).click();
  await page.waitForURL((url) => url.origin === base && !url.pathname.startsWith("/api/"));
}

const me = (page) => page.evaluate(async () => (await fetch("/api/v1/whoami")).json());

test("somebody of the provider comes in with the role of their groups", { timeout: 90_000 }, async () => {
  const page = await window();
  await page.goto("/signin");
  await page.getByRole("link", { name: "Sign in with the test provider" }).waitFor();
  await accessible(page, "signin with a provider");
  await through(page, "maria");
  await page.locator("nav.nav").waitFor({ state: "attached" });
  assert.match(page.url(), /\/queue$/);
  assert.deepEqual(await me(page), { name: "maria", role: "analyst", may: ["look", "work"], teams: ["secops"], way: "account" });
  const cookies = await page.context().cookies(base);
  assert.ok(cookies.every((c) => c.httpOnly), JSON.stringify(cookies));
  assert.ok(!cookies.some((c) => c.name.endsWith("-errand")), "the cookie for the way is gone");
  calm(page);
  await page.context().close();
});

test("other groups next time are another role, and no group that counts is no way in", { timeout: 90_000 }, async () => {
  groups.maria = ["leads", "soc"];
  const page = await window();
  await through(page, "maria");
  await page.locator("nav.nav").waitFor({ state: "attached" });
  assert.deepEqual(await me(page), { name: "maria", role: "approver", may: ["look", "work", "decide"], teams: ["netops", "secops"], way: "account" });
  const guest = await window();
  await through(guest, "guest");
  await guest.getByRole("alert").filter({ hasText: "None of your groups" }).waitFor();
  assert.equal((await guest.evaluate(async () => (await fetch("/api/v1/whoami")).status)), 401);
  await guest.context().close();
  groups.maria = ["visitors"];
  const again = await window();
  await through(again, "maria");
  await again.getByRole("alert").filter({ hasText: "None of your groups" }).waitFor();
  assert.equal(await page.evaluate(async () => (await fetch("/api/v1/whoami")).status), 401, "and the session she had is over");
  await again.context().close();
  await page.context().close();
  groups.maria = ["soc"];
});

test("a name that somebody has here already opens nothing", { timeout: 90_000 }, async () => {
  const page = await window();
  await through(page, "admin");
  await page.getByRole("alert").filter({ hasText: "taken here by somebody else" }).waitFor();
  await page.context().close();
});

test("an answer made up, taken over by another browser, or used twice opens nothing", { timeout: 90_000 }, async () => {
  const page = await window();
  await page.goto("/api/v1/session/provider/return?code=x&state=y");
  await page.getByRole("alert").filter({ hasText: "took too long" }).waitFor();
  // The answer is caught on its way back, and carried to a browser that did not begin.
  await page.goto("/signin");
  await page.getByRole("link", { name: "Sign in with the test provider" }).click();
  await page.locator('input[name="login"]').fill("maria");
  await page.locator('input[name="password"]').fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).waitFor();
  const action = await page.locator("form").first().getAttribute("action");
  let step = await page.context().request.post(new URL(action, issuer).href, { form: { prompt: "consent" }, maxRedirects: 0 });
  let answer = step.headers().location;
  while (!answer.startsWith(base)) {
    step = await page.context().request.get(new URL(answer, issuer).href, { maxRedirects: 0 });
    answer = step.headers().location;
  }
  const other = await window();
  await other.goto(answer);
  await other.getByRole("alert").filter({ hasText: "another browser" }).waitFor();
  // It was not used up by the stranger, comes to the browser that began, and is worth nothing after that.
  await page.goto(answer);
  await page.locator("nav.nav").waitFor({ state: "attached" });
  await page.goto(answer);
  await page.getByRole("alert").filter({ hasText: "took too long" }).waitFor();
  await other.context().close();
  await page.context().close();
});

test("when the provider changes its keys, people come in as before", { timeout: 90_000 }, async () => {
  await provide("second");
  const page = await window();
  await through(page, "maria");
  await page.locator("nav.nav").waitFor({ state: "attached" });
  assert.equal((await me(page)).name, "maria");
  await page.context().close();
});

/** Through the provider's pages once more, where the browser has a session of the provider already. */
async function anew(page, who) {
  await page.getByRole("button", { name: "Prove it with the test provider" }).click();
  const login = page.locator('input[name="login"]');
  await login.waitFor();
  await login.fill(who);
  await page.locator('input[name="password"]').fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  const consent = page.getByRole("button", { name: /continue/i });
  const back = page.waitForURL((url) => url.origin === base && url.pathname.startsWith("/approvals/"));
  await Promise.race([back, consent.waitFor().then(() => consent.click())]);
  await back;
}

test("a yes takes a new sign-in at the provider, of the same person, and nothing less", { timeout: patience(120_000) }, async () => {
  groups.maria = ["leads", "soc"];
  groups.nora = ["leads"];
  const token = (await readFile(join(dir, "config/secrets/suricata.token"), "utf8")).trim();
  const headers = { authorization: `Bearer ${token}` };
  const record = beacon(1, { src_ip: "10.0.0.5", dest_ip: "203.0.113.9" });
  const sent = await fetch(`${base}/in/suricata`, { method: "POST", headers, body: JSON.stringify(record) });
  assert.ok(sent.ok, await sent.text());
  const page = await window();
  await through(page, "maria");
  await page.goto("/approvals");
  await page.getByRole("link", { name: "Review and decide…" }).click();
  const dialog = page.getByRole("dialog");
  const yes = dialog.getByRole("button", { name: /^Yes:/ });
  await yes.waitFor();
  const high = dialog.getByLabel(/Type/);
  const ready = async () => {
    if (await high.count()) await high.fill("203.0.113.9");
  };
  await ready();
  assert.ok(await yes.isDisabled(), "the session alone is not enough");
  // Somebody else at the same browser proves nothing about maria.
  await anew(page, "nora");
  await page.getByRole("alert").filter({ hasText: "was not taken" }).waitFor();
  assert.equal((await me(page)).name, "maria");
  await ready();
  assert.ok(await yes.isDisabled(), "another person's proof is none");
  await anew(page, "maria");
  await dialog.getByText("You have proved that it is you").waitFor();
  await ready();
  await yes.click();
  await dialog.getByRole("status").filter({ hasText: "by maria" }).waitFor();
  calm(page);
  await page.context().close();
});

test("neither the secret nor a token is in the log, the journal or the file of accounts", { timeout: 30_000 }, async () => {
  const kept = await readFile(join(dir, "data/identity.json"), "utf8");
  assert.match(kept, /"subject": "maria"/);
  for (const text of [kept, log]) {
    assert.ok(!text.includes(SECRET) && !/eyJ[A-Za-z0-9_-]{20}/.test(text));
  }
});
