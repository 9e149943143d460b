// A containment that really blocks: a firewall of the kernel between two machines, each in a network
// namespace of its own. Needs root and nftables; without them it says so, and with STANCH_REQUIRE_LAB=1 it
// fails instead.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { calm } from "./parts.mjs";
import { beacon, patience, World } from "./world.mjs";

const INSIDE = "10.99.7.2";
const OUTSIDE = "203.0.113.77";
const [A, F, B] = ["a", "f", "b"].map((n) => `stanch-e2e-${process.pid}-${n}`);

const run = (...words) => spawnSync(words[0], words.slice(1), { encoding: "utf8" });
const must = (...words) => {
  const done = run(...words);
  if (done.status !== 0) throw new Error(`${words.join(" ")}: ${done.stderr || done.error}`);
};
/** True when the machine inside reaches the one outside. */
const reaches = () => run("ip", "netns", "exec", A, "ping", "-q", "-c1", "-W1", OUTSIDE).status === 0;

function build() {
  for (const ns of [A, F, B]) must("ip", "netns", "add", ns);
  // The numbers of this process keep names short enough for the kernel (15 letters) and apart from others'.
  const id = String(process.pid);
  for (const [ns, link, here, there] of [
    [A, "i", `${INSIDE}/24`, "10.99.7.1/24"],
    [B, "o", `${OUTSIDE}/24`, "203.0.113.1/24"],
  ]) {
    must("ip", "link", "add", `${link}${id}`, "netns", ns, "type", "veth", "peer", "name", `f${link}${id}`, "netns", F);
    must("ip", "-n", ns, "addr", "add", here, "dev", `${link}${id}`);
    must("ip", "-n", F, "addr", "add", there, "dev", `f${link}${id}`);
    must("ip", "-n", ns, "link", "set", `${link}${id}`, "up");
    must("ip", "-n", F, "link", "set", `f${link}${id}`, "up");
    must("ip", "-n", ns, "route", "add", "default", "via", there.replace("/24", ""));
  }
  must("ip", "netns", "exec", F, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
}

const clear = () => [A, F, B].forEach((ns) => run("ip", "netns", "del", ns));

let world;
let missing;
before(async () => {
  try {
    must("nft", "--version");
    build();
    if (!reaches()) throw new Error("the machines do not reach each other");
  } catch (e) {
    clear();
    missing = e.message;
    if (process.env.STANCH_REQUIRE_LAB) throw e;
    return;
  }
  world = await World.make({ netns: F });
});
after(async () => {
  await world?.close();
  clear();
});

test("a containment approved in the console stops real packets, and releasing it lets them pass again", { timeout: patience(120_000) }, async (t) => {
  if (missing) {
    console.error(`SKIPPED: no firewall can be made here: ${missing}`);
    return t.skip(missing);
  }
  await world.send(beacon(1, { src_ip: INSIDE, dest_ip: OUTSIDE }));
  const { approvals } = await world.until("/api/v1/approvals?pending=true", (v) => v.pending === 1);
  const [question] = approvals;
  assert.equal(question.target, OUTSIDE);
  assert.ok(reaches(), "before the yes nothing is blocked");
  const page = await world.window();
  await page.goto(`/approvals/${question.id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Exactly", { exact: true }).waitFor();
  assert.equal(await dialog.getByText("simulated").count(), 0, "it is real");
  if (question.blast_radius === "high") await dialog.getByLabel(/Type/).fill(question.target);
  await dialog.getByLabel(/^Reason/).fill("confirmed with the owner");
  await dialog.getByRole("button", { name: /^Yes:/ }).click();
  await page.goto(`/incidents/${question.incident}`);
  const block = page.locator("[data-block]").filter({ hasText: OUTSIDE });
  await block.getByText("in force", { exact: true }).waitFor();
  assert.ok(!reaches(), "the kernel drops the packets");
  const rules = run("ip", "netns", "exec", F, "nft", "list", "ruleset").stdout;
  assert.ok(rules.includes(OUTSIDE), rules);
  await block.getByRole("button", { name: "Release" }).click();
  const release = page.getByRole("dialog");
  await release.getByLabel("Reason").fill("a false alarm");
  await release.getByRole("button", { name: /^Release/ }).click();
  await block.getByText("lifted", { exact: true }).waitFor();
  assert.ok(reaches(), "and lets them pass again");
  calm(page);
  await page.context().close();
});
