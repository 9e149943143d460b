// Every screen in dark and light: no rule of WCAG 2.2 AA is broken, nothing is wider than the window, and a
// picture for the documentation.
import { after, before, test } from "node:test";
import { accessible, calm, fits, loaded, picture } from "./parts.mjs";
import { beacon, patience, World } from "./world.mjs";

let world;
before(async () => {
  world = await World.make();
  await world.ingestDemo();
  // A few more, so that the queue is one: some taken, one closed, one with a change in force.
  await world.send(beacon(1), beacon(2), beacon(3));
  await world.until("/api/v1/queue", (v) => v.total === 4);
  const ids = (await world.api("/api/v1/queue?sort=newest")).rows.map((r) => r.id);
  await world.api(`/api/v1/incidents/${ids[0]}/ack`, {});
  await world.api("/api/v1/bulk/incidents", { incidents: [ids[1]], action: "resolve", reason: "a planned test" });
  await world.until("/api/v1/approvals?pending=true", (v) => v.pending >= 2);
  const open = (await world.api("/api/v1/approvals?pending=true")).approvals.find((a) => a.incident === ids[2]);
  await world.api(`/api/v1/approvals/${open.id}/approve`, { digest: open.digest, reason: "confirmed with the owner" });
  await world.until("/api/v1/blocks", (v) => v.blocks[0]?.state === "in_force");
  await world.send({ not: "a suricata record" });
  // A version that a run is pinned to, and one that took its place.
  const { source, hash } = await world.api("/api/v1/playbooks/c2-beacon");
  await world.put("/api/v1/playbooks/c2-beacon", { text: source.replace(/wait: \d+\w+/, "wait: 9m"), base: hash });
});
after(() => world?.close());

const SCREENS = [
  ["queue", "/queue", ".grid .row"],
  ["queue-filter", `/queue?where=${encodeURIComponent('incident.kind == "c2" && incident.age_minutes >= 0')}`, ".grid .row"],
  ["incident", "/incidents/INC-1", ".react-flow__node"],
  ["incident-table", "/incidents/INC-1?view=table&show=gap", ".t-gap"],
  ["alert", "/incidents/INC-1?alert=A-1", "dialog .fields"],
  ["approvals", "/approvals", ".card-ask"],
  ["approval", "/approvals/APR-1", "dialog .decide"],
  ["playbooks", "/playbooks", "tbody tr"],
  ["playbook", "/playbooks/c2-beacon", ".source li"],
  ["playbook-edit", "/playbooks/c2-beacon/edit", ".plan-list li"],
  ["run", "/runs/RUN-1", ".run-steps li"],
  ["clock", "/clock", ".waits li"],
  ["sources", "/sources", "tbody tr"],
  ["exercises", "/exercises", ".empty"],
  ["reviews", "/reviews", ".empty"],
  ["settings", "/settings", ".facts"],
  ["exports", "/queue", ".grid .row", (page) => page.getByRole("button", { name: "Export", exact: true }).click()],
  ["all-clear", "/queue?q=nothing-like-it", ".empty"],
];

for (const theme of ["dark", "light"]) {
  test(`every screen in ${theme}`, { timeout: patience(480_000) }, async (t) => {
    const first = await world.window({ theme, person: null });
    await first.goto("/signin");
    await first.getByLabel("Your token").waitFor();
    await accessible(first, "signin");
    await picture(first, `signin-${theme}`);
    await first.context().close();
    const page = await world.window({ theme });
    for (const [name, path, ready, more] of SCREENS) {
      await t.test(name, async () => {
        await page.goto(path);
        await page.locator(ready).first().waitFor();
        await loaded(page);
        await more?.(page);
        await fits(page, name);
        await accessible(page, name);
        await picture(page, `${name}-${theme}`);
      });
    }
    await t.test("palette and shortcuts", async () => {
      await page.goto("/queue");
      await page.locator(".grid .row").first().waitFor();
      await page.keyboard.press("Control+k");
      await page.locator("[cmdk-item]").first().waitFor();
      await accessible(page, "palette");
      await picture(page, `palette-${theme}`);
      await page.keyboard.press("Escape");
      await page.keyboard.press("Shift+?");
      await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
      await accessible(page, "shortcuts");
    });
    calm(page);
    await page.context().close();
    await t.test("on a phone, 360 px wide", async () => {
      const phone = await world.window({ theme, width: 360, height: 740 });
      for (const [name, path, ready] of [
        ["phone-approvals", "/approvals", ".card-ask"],
        ["phone-approval", "/approvals/APR-1", "dialog .decide"],
      ]) {
        await phone.goto(path);
        await phone.locator(ready).first().waitFor();
        await loaded(phone);
        await fits(phone, name);
        await accessible(phone, name);
        await picture(phone, `${name}-${theme}`);
      }
      calm(phone);
      await phone.context().close();
    });
  });
}
