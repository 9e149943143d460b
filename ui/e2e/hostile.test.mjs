// Text from attackers, in every field they can fill: it is shown as text, and does nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { calm, loaded } from "./parts.mjs";
import { beacon, patience, World } from "./world.mjs";

const HOSTILE = {
  html: '<img src=x onerror="alert(1)"><script>alert(2)</script><iframe src="javascript:alert(3)"></iframe>',
  svg: '"><svg/onload=alert(4)>',
  markdown: "[click](javascript:alert(5)) ![x](http://203.0.113.80/x.png) `<b>`",
  template: "{{constructor.constructor('alert(6)')()}} ${alert(7)} #{alert(8)}",
  bidi: "invoice\u202Egpj.exe \u2066hidden\u2069 zero\u200Bwidth",
  ansi: "\u001b[31mred\u001b[0m \u001b]8;;http://evil.example\u0007link\u001b]8;;\u0007",
  formula: '=HYPERLINK("http://evil.example","x")',
  slack: "<!channel> <@U123> <http://evil.example|bank>",
  long: `${"A".repeat(3000)}`,
};

let world;
before(async () => {
  world = await World.make();
  let n = 100;
  for (const text of Object.values(HOSTILE)) {
    n += 1;
    const base = beacon(n);
    await world.send({
      ...base,
      app_proto: text,
      http: { hostname: text, url: text, http_user_agent: text, http_method: text },
      dns: { query: [{ rrname: text }] },
      tls: { sni: text, subject: text },
      payload_printable: text,
      alert: { ...base.alert, signature: `${text} C2`, category: text, metadata: { ...base.alert.metadata, tag: [text] } },
    });
  }
  await world.until("/api/v1/queue", (v) => v.total >= Object.keys(HOSTILE).length - 1);
});
after(() => world?.close());

/** Nothing of it became an element, an attribute that runs, or a link away from here. */
async function inert(page, what) {
  const found = await page.evaluate(() => {
    const bad = [...document.querySelectorAll("#root img, #root iframe, #root script, #root object, #root embed, #root svg[onload]")];
    const links = [...document.querySelectorAll("#root a[href]")].filter((a) => new URL(a.href).origin !== location.origin);
    const odd = /[\u200b-\u200f\u202a-\u202e\u2066-\u2069\u001b\u0007]/.test(document.body.innerText);
    return { bad: bad.map((e) => e.outerHTML), links: links.map((a) => a.href), odd };
  });
  assert.deepEqual(found, { bad: [], links: [], odd: false }, what);
}

test("hostile text in every field is text on every screen", { timeout: patience(180_000) }, async () => {
  const page = await world.window();
  await page.locator(".grid .row").first().waitFor();
  await inert(page, "queue");
  const incidents = (await world.api("/api/v1/queue")).rows;
  let shown = "";
  for (const { id } of incidents) {
    await page.goto(`/incidents/${id}?view=table`);
    await page.getByRole("region", { name: "Timeline" }).locator("li").first().waitFor();
    await inert(page, id);
    shown += await page.evaluate(() => document.body.innerText);
    const note = Object.values(HOSTILE)[Number(id.slice(4)) % 9] ?? "x";
    await world.api(`/api/v1/incidents/${id}/note`, { text: note });
    const alert = (await world.api(`/api/v1/alerts?incident=${id}`)).alerts[0].id;
    await page.goto(`/incidents/${id}?alert=${alert}`);
    const dialog = page.getByRole("dialog");
    for (const tab of ["Normalised", "As received", "Why", "Known"]) {
      await dialog.getByRole("button", { name: tab }).click();
      await dialog.locator("table, pre, ul, p").last().waitFor();
      await inert(page, `${alert} ${tab}`);
    }
    shown += await page.evaluate(() => document.body.innerText);
  }
  assert.ok(shown.includes("<img src=x onerror="), "it was really there, as text");
  assert.ok(shown.includes("gpj.exe"), "and so was the one that turns the reading round");
  for (const path of ["/approvals", "/playbooks", "/clock", "/sources", "/settings"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await loaded(page);
    await inert(page, path);
  }
  for (const { id } of (await world.api("/api/v1/approvals?pending=true")).approvals.slice(0, 3)) {
    await page.goto(`/approvals/${id}`);
    await page.getByRole("dialog").getByText("Exactly", { exact: true }).waitFor();
    await inert(page, id);
  }
  calm(page);
  await page.context().close();
});

test("hostile addresses of pages lead nowhere", { timeout: patience(60_000) }, async () => {
  const page = await world.window();
  for (const path of [
    "/incidents/%3Cimg%20src=x%20onerror=alert(1)%3E",
    "/queue?q=%3Cscript%3Ealert(1)%3C/script%3E&severity=%22%3E%3Csvg/onload=alert(1)%3E",
    "/incidents/INC-1?alert=javascript:alert(1)&entity=%3Cb%3E",
    "/approvals/APR-1%22onmouseover=alert(1)",
    "/playbooks/..%2f..%2fsecrets",
    "/settings?before=1e99",
  ]) {
    await page.goto(path).catch(() => undefined);
    await loaded(page);
    await inert(page, path).catch((e) => {
      if (!/null/.test(e.message)) throw e;
    });
  }
  await page.context().clearCookies();
  await page.goto("/signin?next=//evil.example/x");
  await page.getByLabel("Your token").fill(world.tokens.watcher);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/queue/);
  assert.equal(new URL(page.url()).origin, world.url);
  calm(page);
  await page.context().close();
});

test("another site can neither read nor change anything with the session", { timeout: patience(60_000) }, async () => {
  const page = await world.window();
  const other = await page.context().newPage();
  const url = world.url.replace("127.0.0.1", "localhost");
  // Same machine, another name: another site to the browser. A page of its own that attacks.
  await other.route(`${url}/attack`, (r) => r.fulfill({ contentType: "text/html", body: "<!doctype html><title>x</title>" }));
  await other.goto(`${url}/attack`);
  const result = await other.evaluate(async (target) => {
    const tries = [
      fetch(`${target}/api/v1/queue`, { credentials: "include" }),
      fetch(`${target}/api/v1/admin/kill-switch`, { method: "POST", credentials: "include", headers: { "content-type": "text/plain" }, body: '{"engaged":true}' }),
      fetch(`${target}/api/v1/admin/kill-switch`, { method: "POST", mode: "no-cors", credentials: "include", body: '{"engaged":true}' }),
    ];
    const all = await Promise.allSettled(tries);
    return all.map((r) => (r.status === "fulfilled" ? (r.value.type === "opaque" ? "opaque" : r.value.status) : "refused"));
  }, world.url);
  assert.ok(result.every((r) => r === "refused" || r === "opaque"), `nothing could be read: ${result}`);
  assert.equal((await world.api("/api/v1/admin/kill-switch")).engaged, false);
  const framed = await other.evaluate(async (target) => {
    const frame = document.createElement("iframe");
    frame.src = `${target}/approvals`;
    const tried = new Promise((done) => frame.addEventListener("load", done));
    document.body.append(frame);
    await tried;
    try {
      return frame.contentDocument === null ? "closed" : "open";
    } catch {
      return "closed";
    }
  }, world.url);
  assert.equal(framed, "closed");
  await page.context().close();
});
