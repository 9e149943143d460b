// A run that failed goes on from the step that failed: in the console, against a service that answers badly once.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, calm, pictures } from "./parts.mjs";
import { patience, World } from "./world.mjs";

let world, service, good;
const asked = { "/first": 0, "/second": 0 };

before(async () => {
  service = createServer((request, response) => {
    asked[request.url] = (asked[request.url] ?? 0) + 1;
    const fails = request.url === "/second" && !good;
    response.writeHead(fails ? 400 : 200, { "content-type": "application/json" }).end(JSON.stringify({ n: asked[request.url] }));
  });
  await new Promise((done) => service.listen(0, "127.0.0.1", done));
  const at = `127.0.0.1:${service.address().port}`;
  world = await World.make({
    prepare: async (config) => {
      const call = (name) => `      - { name: ${name}, changes: false, ask: { url: 'http://${at}/${name}' } }\n`;
      await writeFile(
        join(config, "connectors/service.yaml"),
        `responders:\n  - name: service\n    type: http\n    allow: [ '${at}' ]\n    allow_private: [ 127.0.0.1/32 ]\n    calls:\n${call("first")}${call("second")}`,
      );
      await writeFile(
        join(config, "playbooks/two-calls.yaml"),
        "name: two-calls\nsummary: Asks a service twice\non: called\noutputs:\n  sum: steps.first.n + steps.second.n\nsteps:\n  - { id: first, fetch: { call: first } }\n  - { id: second, fetch: { call: second } }\nsop: Ask by hand.\n",
      );
    },
  });
});
after(async () => {
  await world?.close();
  await new Promise((done) => service.close(done).closeAllConnections());
});

test("a run that failed goes on from the step that failed, and what was done is not done again", { timeout: patience(120_000) }, async () => {
  const { run } = await world.api("/api/v1/runs", { playbook: "two-calls", inputs: {} });
  await world.until(`/api/v1/runs/${run}`, (r) => r.state === "handed");
  const page = await world.window();
  await page.goto(`/runs/${run}`);
  await page.getByRole("button", { name: "Go on from second…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1 step that is over is not done again").waitFor();
  await accessible(page, "a run goes on");
  await pictures(page, "run-goes-on");
  good = true;
  await dialog.getByLabel("Reason").fill("the service answers again");
  await dialog.getByRole("button", { name: "Go on from second", exact: true }).click();
  await page.getByText("Went on").waitFor();
  await page.locator(".run-steps li").nth(1).waitFor();
  const over = await world.until(`/api/v1/runs/${run}`, (r) => r.state === "completed");
  assert.deepEqual(over.output, { sum: 3 }, "the first answer is kept, the second is the new one");
  assert.deepEqual(asked, { "/first": 1, "/second": 2 });
  await page.getByText("completed", { exact: true }).first().waitFor();
  assert.equal(await page.getByRole("button", { name: /Go on from/ }).count(), 0);
  calm(page);
  await page.context().close();

  const viewer = await world.window({ person: "watcher" });
  await viewer.goto(`/runs/${run}`);
  await viewer.getByRole("heading", { level: 1, name: run }).waitFor();
  assert.equal(await viewer.getByRole("button", { name: /Run again/ }).count(), 0);
  await viewer.context().close();
});
