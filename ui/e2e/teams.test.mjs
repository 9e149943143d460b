// A question in a channel of Microsoft Teams: the card goes to a workflow as strict as the real one, is read by
// Microsoft's own library, and leads to the page where one signs in and decides.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { calm } from "./parts.mjs";
import { beacon, change, patience, World } from "./world.mjs";

const SIG = "the-right-to-post_1";
const HOSTILE = "[bank](https://evil.example) **b** <img src=x onerror=alert(1)> <at>everyone</at> {{DATE(2026-01-01T00:00:00Z)}}";
const library = fileURLToPath(new URL("../node_modules/adaptivecards/dist/adaptivecards.min.js", import.meta.url));
let world, workflow, taken;

/** Takes a post as Workflows do, and refuses whatever they refuse. */
function strict(request, response) {
  const parts = [];
  request.on("data", (d) => parts.push(d));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const url = new URL(request.url, "http://x");
    const say = (status) => response.writeHead(status).end();
    if (request.method !== "POST" || url.pathname !== "/workflows/1/triggers/manual/paths/invoke") return say(404);
    if (url.searchParams.get("sig") !== SIG) return say(401);
    if (request.headers["content-type"] !== "application/json") return say(415);
    if (body.length > 28 * 1024) return say(413);
    const said = JSON.parse(body);
    const whole = said.type === "message" && said.attachments?.length === 1 && said.attachments[0].contentType === "application/vnd.microsoft.card.adaptive";
    if (!whole) return say(400);
    taken.push(said);
    return say(202);
  });
}

before(async () => {
  taken = [];
  workflow = createServer(strict);
  await new Promise((done) => workflow.listen(0, "127.0.0.1", done));
  const free = createServer();
  await new Promise((done) => free.listen(0, "127.0.0.1", done));
  const { port } = free.address();
  await new Promise((done) => free.close(done));
  world = await World.make({
    listen: `127.0.0.1:${port}`,
    prepare: async (config) => {
      await writeFile(join(config, "secrets/teams.sig"), `${SIG}\n`, { mode: 0o600 });
      const own = join(config, "connectors/channel.yaml");
      const url = `http://127.0.0.1:${workflow.address().port}/workflows/1/triggers/manual/paths/invoke?api-version=1&sv=1.0`;
      await writeFile(
        own,
        `notifiers:\n  - name: soc-channel\n    type: teams\n    url: '${url}'\n    sig: { file: secrets/teams.sig }\n    console: http://127.0.0.1:${port}\n    allow_private: [127.0.0.0/8]\n`,
      );
      await change(join(config, "policies/people.yaml"), [/netops: \{ notifier: mail, to: \[noc@example.com\] \}/, "netops: { notifier: soc-channel }"]);
    },
  });
});
after(async () => {
  await world?.close();
  await new Promise((done) => workflow.close(done).closeAllConnections());
});

test("a question in Teams is read by Microsoft's library and leads to the page behind the sign-in", { timeout: patience(120_000) }, async () => {
  const base = beacon(7);
  await world.send({ ...base, alert: { ...base.alert, signature: `${HOSTILE} C2` } });
  const { approvals } = await world.until("/api/v1/approvals?pending=true", (v) => v.pending > 0);
  const [question] = approvals;
  const asks = (m) => m.attachments[0].content.actions?.[0]?.url.endsWith(`/approvals/${question.id}`);
  await world.happens("a card with the question", () => taken.some(asks));
  const { content: card } = taken.find(asks).attachments[0];

  const page = await world.window({ person: null });
  await page.context().route("**/card", (r) => r.fulfill({ contentType: "text/html", body: "<!doctype html><title>card</title><main></main>" }));
  await page.goto("/card");
  await page.addScriptTag({ content: await readFile(library, "utf8") });
  const seen = await page.evaluate((json) => {
    const { AdaptiveCard, SerializationContext, Versions } = window.AdaptiveCards;
    const read = new AdaptiveCard();
    const context = new SerializationContext(Versions.v1_4);
    read.parse(json, context);
    const events = [...Array(context.eventCount).keys()].map((n) => context.getEventAt(n).message);
    const wrong = read.validateProperties().validationEvents.map((e) => e.message);
    const opened = [];
    read.onExecuteAction = (a) => opened.push([a.getJsonTypeName(), a.url ?? ""]);
    document.querySelector("main").append(read.render());
    for (const b of document.querySelectorAll("button, [role=button]")) b.click();
    const links = [...document.querySelectorAll("main a[href], main img, main iframe, main script, main input")].length;
    return { events, wrong, opened, links, text: document.querySelector("main").innerText };
  }, card);
  assert.deepEqual([seen.events, seen.wrong], [[], []], "no word of it is unknown to the schema");
  assert.deepEqual(seen.opened, [["Action.OpenUrl", `${world.url}/approvals/${question.id}`]], "it opens a page, and does nothing else");
  assert.equal(seen.links, 0, "nothing of an alert became a link, a picture or a box");
  assert.ok(seen.text.includes(question.id), seen.text);

  await page.goto(seen.opened[0][1]);
  await page.getByLabel("Your token").fill(world.tokens["demo-operator"]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("dialog").getByText(question.digest).waitFor();
  assert.equal((await world.api(`/api/v1/approvals/${question.id}`)).state, "pending", "looking decided nothing");
  calm(page);
  await page.context().close();
});
