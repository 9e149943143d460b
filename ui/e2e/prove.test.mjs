// What may hurt much takes a fresh proof of the person: in a real browser, with a password that is asked again.
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, calm } from "./parts.mjs";
import { beacon, patience, World } from "./world.mjs";

const PASSWORD = "four words of it";
let world;

before(async () => {
  const policy = "fresh_proof_for: [block_address]\nfresh_proof_when_high: true\n";
  world = await World.make({ prepare: (config) => appendFile(join(config, "policies/containment.yaml"), policy) });
});
after(async () => {
  await world?.close();
});

/** Somebody with a password, and signed in with it. */
async function nora(teams) {
  await world.api("/api/v1/people", { name: "nora", role: "approver", teams });
  const { path } = await world.api("/api/v1/people/nora/invite", {});
  const page = await world.window({ person: null });
  await page.goto(path);
  await page.getByLabel("A password for you").fill(PASSWORD);
  await page.getByLabel("The same again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password and come in" }).click();
  await page.locator("nav.nav").waitFor({ state: "attached" });
  return page;
}

test("a yes asks for the password again, and a wrong one approves nothing", { timeout: patience(120_000) }, async () => {
  await world.send(beacon(1));
  const { approvals } = await world.until("/api/v1/approvals?pending=true", (v) => v.pending === 1);
  const [question] = approvals;
  const page = await nora(question.teams);
  await page.goto(`/approvals/${question.id}`);
  const dialog = page.getByRole("dialog");
  const password = dialog.getByLabel(/Your password, again/);
  await password.waitFor();
  if (question.blast_radius === "high") await dialog.getByLabel(/Type/).fill(question.target);
  const yes = dialog.getByRole("button", { name: /^Yes:/ });
  assert.ok(await yes.isDisabled(), "not without a proof");
  await password.fill("not her words at all");
  await yes.click();
  await dialog.getByText("this is not the password of nora").waitFor();
  await accessible(page, "a proof is asked for");
  assert.equal((await world.api(`/api/v1/approvals/${question.id}`)).state, "pending");
  assert.deepEqual((await world.api("/api/v1/blocks?all=true")).blocks, []);
  await password.fill(PASSWORD);
  await yes.click();
  await dialog.getByRole("status").filter({ hasText: "by nora" }).waitFor();
  const { state, settled } = await world.api(`/api/v1/approvals/${question.id}`);
  assert.deepEqual([state, settled.by], ["approved", "nora"]);
  await world.until("/api/v1/blocks?all=true", (v) => v.blocks.length === 1);
  calm(page);
  await page.context().close();
});
