// People's journeys through the console, in a real browser against the real server and a real recording.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, calm, fits, loaded } from "./parts.mjs";
import { beacon, patience, signIn, World } from "./world.mjs";

let world;
before(async () => {
  world = await World.make();
  await world.ingestDemo();
});
after(() => world?.close());

/** A test with a page of its own that must stay calm. */
function journey(name, options, steps) {
  test(name, { timeout: patience(180_000) }, async () => {
    const page = await world.window(options);
    try {
      await steps(page);
      calm(page);
    } catch (e) {
      if (process.env.STANCH_E2E_OUT) await page.screenshot({ path: `${process.env.STANCH_E2E_OUT}/${name.replace(/\W+/g, "-").slice(0, 60)}.png` });
      throw e;
    } finally {
      await page.context().close();
    }
  });
}

const pending = async () => (await world.api("/api/v1/approvals?pending=true")).approvals;

journey("a wrong token is refused in words, and the right one leads to where one wanted to go", { person: null }, async (page) => {
  await page.goto("/incidents/INC-1?view=table");
  await page.getByLabel("Your token").fill("this-is-not-a-token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "not known" }).waitFor();
  await page.getByLabel("Your token").fill(world.tokens["demo-operator"]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: /Command and control/ }).waitFor();
  assert.match(page.url(), /INC-1\?view=table/);
  const cookies = await page.context().cookies();
  assert.ok(cookies.every((c) => c.httpOnly && c.sameSite === "Strict"), JSON.stringify(cookies));
  assert.equal(await page.evaluate(() => document.cookie), "", "no script can read it");
});

journey("the queue leads to the story, the timeline with its waits, and the evidence", {}, async (page) => {
  const row = page.getByRole("row").filter({ hasText: "INC-1" });
  await row.waitFor();
  await row.getByText("a yes or no").waitFor();
  await row.getByRole("link").click();
  await page.getByRole("heading", { name: "What happened" }).waitFor();
  const timeline = page.getByRole("region", { name: "Timeline" });
  await timeline.getByText(/so far waiting for a yes or no/).waitFor();
  await timeline.getByRole("button", { name: "Machine" }).click();
  // The address is the state.
  await page.waitForURL(/show=machine/);
  await timeline.getByText("stanch").first().waitFor();
  await page.getByRole("button", { name: "Table" }).click();
  const pairs = page.getByRole("group", { name: "Who did something to whom" });
  await pairs.getByRole("button", { name: "10.0.254.35" }).first().click();
  await page.getByText("Only what speaks of").waitFor();
  await page.reload();
  await page.getByText("Only what speaks of").waitFor();
  await page.goto("/incidents/INC-1");
  await page.getByRole("region", { name: "Evidence", exact: true }).getByRole("button", { name: /^A-/ }).first().click();
  const alert = page.getByRole("dialog");
  await alert.getByText("rule_uid").waitFor();
  await alert.getByRole("button", { name: "As received" }).click();
  await alert.getByText(/"event_type"/).waitFor();
  await page.keyboard.press("Escape");
  await alert.waitFor({ state: "detached" });
});

journey("a viewer sees the question and cannot answer it", { person: "watcher" }, async (page) => {
  const [question] = await pending();
  await page.goto(`/approvals/${question.id}`);
  await page.getByText("You may look.").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Yes:/ }).count(), 0);
});

journey("what is new waits behind a chip, and the row under the cursor does not move", {}, async (page) => {
  const rows = page.locator(".grid .row");
  await rows.first().waitFor();
  const shown = await rows.count();
  const box = await rows.first().boundingBox();
  await world.send(beacon(1));
  await page.getByRole("button", { name: /1 new/ }).waitFor();
  assert.equal(await rows.count(), shown);
  assert.deepEqual(await rows.first().boundingBox(), box);
  await page.keyboard.press(".");
  await rows.nth(shown).waitFor();
  assert.equal(await rows.count(), shown + 1);
});

journey("a containment is approved after its dry run, seen in force, told to the network team, and released", {}, async (page) => {
  const before = world.mail.mails.length;
  const question = (await pending()).find((a) => a.incident === "INC-1");
  await page.goto("/approvals");
  await page.getByRole("link", { name: "Review and decide" }).first().waitFor();
  await page.goto(`/approvals/${question.id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText(question.digest).waitFor();
  await dialog.getByText("stanch:ACT-").waitFor();
  await dialog.getByText("netops by mail").waitFor();
  for (const key of ["y", "a", "Enter"]) await page.keyboard.press(key);
  assert.ok((await pending()).some((a) => a.id === question.id), "no single key says yes");
  if (question.blast_radius === "high") {
    assert.ok(await dialog.getByRole("button", { name: /^Yes:/ }).isDisabled(), "a wide change asks for its target");
    await dialog.getByLabel(/Type/).fill(question.target);
  }
  await dialog.getByLabel(/^Reason/).fill("confirmed with the owner");
  await dialog.getByRole("button", { name: /^Yes:/ }).click();
  await dialog.getByText("confirmed with the owner").last().waitFor();
  await page.goto("/incidents/INC-1");
  const block = page.locator("[data-block]").filter({ hasText: question.target });
  await block.getByText("in force", { exact: true }).waitFor();
  await block.getByText("simulated").waitFor();
  await world.until("/api/v1/blocks", (v) => v.live === 1);
  const told = () => world.mail.mails.slice(before).some((m) => m.includes(question.target));
  await world.happens("a mail to the network team", told);
  await block.getByRole("button", { name: "Release" }).click();
  const release = page.getByRole("dialog");
  await release.getByLabel("Reason").fill("a false alarm");
  await release.getByRole("button", { name: /^Release/ }).click();
  await block.getByText("lifted", { exact: true }).waitFor();
  await world.until("/api/v1/blocks", (v) => v.live === 0);
});

journey("two incidents become one and two again, and evidence leaves for good", {}, async (page) => {
  await world.send(beacon(40));
  const other = (await world.until("/api/v1/queue?q=10.20.0.41", (v) => v.total === 1)).rows[0].id;
  await page.goto(`/incidents/${other}`);
  await page.getByRole("button", { name: /^Merge/ }).click();
  const merge = page.getByRole("dialog");
  await merge.getByLabel("The one that goes on").selectOption("INC-1");
  await merge.getByLabel("Reason").fill("the same intruder");
  await merge.getByRole("button", { name: `Merge ${other} into INC-1` }).click();
  await page.locator(".incident-head").getByText("part of").waitFor();
  await page.getByRole("button", { name: "Take out again" }).click();
  await page.getByRole("dialog").getByRole("button", { name: `Take ${other} out` }).click();
  await page.locator(".incident-head").getByText("part of").waitFor({ state: "detached" });

  await page.goto("/incidents/INC-1");
  const evidence = page.getByRole("region", { name: "Evidence", exact: true });
  const label = await evidence.getByRole("checkbox").first().getAttribute("aria-label");
  await evidence.getByRole("checkbox", { name: label, exact: true }).check();
  const chosen = label.replace("Select ", "");
  await page.getByRole("button", { name: /^Split out/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Split out 1 alert" }).click();
  await world.until(`/api/v1/alerts/${chosen}`, (a) => a.incident !== "INC-1");
  // Once it is said that it can be taken back, and the dialog is gone.
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("u");
  await world.until(`/api/v1/alerts/${chosen}`, (a) => a.incident === "INC-1");
});

journey("many are acknowledged and resolved in one go", {}, async (page) => {
  await world.send(beacon(60), beacon(61), beacon(62));
  await world.until("/api/v1/queue?q=10.20.0.6", (v) => v.total === 3);
  await page.goto("/queue?q=10.20.0.6");
  const rows = page.locator(".grid .row");
  await rows.nth(2).waitFor();
  // As fast as fingers go: the second key acts on the row that the first went to.
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await rows.nth(1).getByRole("checkbox", { checked: true }).waitFor();
  assert.ok(!(await rows.nth(0).getByRole("checkbox").isChecked()), "the row before it is not meant");
  await page.getByRole("button", { name: /Select all/ }).click();
  await page.keyboard.press("e");
  await world.until("/api/v1/queue?q=10.20.0.6", (v) => v.rows.every((r) => r.acknowledged_by === "demo-operator"));
  await page.getByRole("region", { name: "Selected" }).waitFor({ state: "detached" });
  await page.getByRole("checkbox").first().check();
  await page.getByRole("button", { name: /Select all/ }).click();
  await page.getByRole("button", { name: "Resolve…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("a planned test");
  await dialog.getByRole("button", { name: /^Resolve 3/ }).click();
  await world.until("/api/v1/queue?status=resolved&q=10.20.0.6", (v) => v.total === 3);
  await page.locator(".row.gone").first().waitFor();
});

journey("by keyboard alone: find, open, read, take, and get to the question", {}, async (page) => {
  await page.locator(".grid .row").first().waitFor();
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder(/Incident, address/).waitFor();
  await page.keyboard.type("INC-1");
  await page.getByRole("option", { name: /^Open INC-1/, selected: true }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: /Command and control/ }).waitFor();
  assert.match(page.url(), /incidents\/INC-1$/);
  await page.keyboard.press("e");
  await page.getByText("owner: demo-operator").waitFor();
  await page.keyboard.press("c");
  // The dialog opens within the key: what is typed next lands in it, and the key itself does not.
  await page.keyboard.type("read the evidence");
  assert.equal(await page.getByLabel("What you found or did").inputValue(), "read the evidence");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Timeline" }).getByText("read the evidence").waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Shift+?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("t");
  await page.getByRole("button", { name: /local time/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL(/queue/);
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.waitForURL(/approvals/);
  const review = page.getByRole("link", { name: "Review and decide" }).first();
  await review.waitFor();
  for (let n = 0; n < 60 && !(await review.evaluate((el) => el === document.activeElement)); n++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Exactly", { exact: true }).waitFor();
  const focusInside = () => page.evaluate(() => document.querySelector("dialog[open]").contains(document.activeElement));
  for (let n = 0; n < 30; n++) {
    await page.keyboard.press("Tab");
    const onPage = await page.evaluate(() => document.activeElement !== document.body);
    if (onPage) assert.ok(await focusInside(), "the focus stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.waitForURL(/approvals$/);
});

journey("the network goes and comes back: said at once, nothing decided meanwhile, nothing missed", {}, async (page) => {
  const question = (await pending())[0];
  await page.goto(`/approvals/${question.id}`);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.context().setOffline(true);
  await page.getByText("What you see is from").waitFor();
  await page.getByText("offline: nothing can be decided").waitFor();
  assert.ok(await page.getByRole("button", { name: "No", exact: true }).isDisabled());
  await world.api("/api/v1/incidents/INC-1/note", { text: "written while you were away" });
  await page.context().setOffline(false);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("What you see is from").waitFor({ state: "detached" });
  await page.goto("/incidents/INC-1");
  await page.getByRole("region", { name: "Timeline" }).getByText("written while you were away").waitFor();
  await world.api("/api/v1/incidents/INC-1/note", { text: "seen as it happens" });
  await page.getByRole("region", { name: "Timeline" }).getByText("seen as it happens").waitFor();
});

/** Puts a text into the editor, as a person who pastes it. */
async function write(page, text) {
  const editor = page.getByRole("textbox", { name: "Text of c2-beacon, YAML" });
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await editor.evaluate((el, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    el.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}

journey("a playbook is written with suggestions, its mistakes told by line, rehearsed, and saved", {}, async (page) => {
  const { source } = await world.api("/api/v1/playbooks/c2-beacon");
  await page.goto("/playbooks");
  await page.getByRole("link", { name: "c2-beacon" }).first().click();
  await page.getByRole("link", { name: "Edit and rehearse" }).click();
  await page.getByRole("status").filter({ hasText: "this is the version in force" }).waitFor();
  await page.getByRole("textbox", { name: "Text of c2-beacon, YAML" }).waitFor();
  const wait = source.match(/wait: \d+\w+/)[0];
  const line = source.split("\n").findIndex((l) => l.includes(wait)) + 1;
  await write(page, source.replace(wait, "wait: soon"));
  await page.getByRole("status").filter({ hasText: "1 mistake" }).waitFor();
  await page.getByRole("button", { name: `line ${line}` }).click();
  assert.ok(await page.getByRole("button", { name: "Save and put in force" }).isDisabled());
  await page.keyboard.press("ControlOrMeta+Home");
  await page.keyboard.type("cs");
  await page.getByRole("option", { name: "csf" }).waitFor();
  await page.keyboard.press("Escape");
  const better = source.replace(wait, "wait: 9m");
  await write(page, better);
  await page.getByRole("status").filter({ hasText: "No mistakes" }).waitFor();
  await page.getByText("+ ", { exact: true }).first().waitFor();
  await page.getByRole("region", { name: "Against the version in force" }).getByText("wait: 9m").waitFor();
  await page.getByRole("list", { name: "Steps" }).getByText("hold", { exact: true }).waitFor();
  await page.getByLabel("Begin with the evidence of").selectOption("INC-1");
  await page.getByRole("button", { name: "Rehearse" }).click();
  const transcript = page.locator(".transcript");
  await transcript.waitFor({ timeout: patience(120_000) });
  assert.equal(await transcript.getAttribute("data-sound"), "true");
  await transcript.getByText("changed", { exact: true }).first().waitFor();
  await accessible(page, "the editor with a rehearsal");
  await page.getByRole("button", { name: "Save and put in force" }).click();
  await page.getByText("c2-beacon is in force").waitFor();
  assert.equal((await world.api("/api/v1/playbooks/c2-beacon")).source, better);
  await page.getByRole("status").filter({ hasText: "this is the version in force" }).waitFor();
  // What is otherwise now: against the version before, and against the one that a run is pinned to.
  const { versions } = await world.api("/api/v1/playbooks/c2-beacon/versions");
  assert.deepEqual([versions.length, versions[0].in_force, versions[1].source], [2, true, source]);
  await page.goto("/playbooks/c2-beacon");
  const earlier = page.getByRole("region", { name: "Against an earlier version" });
  await earlier.locator(".gone").filter({ hasText: wait }).waitFor();
  await earlier.locator(".new").filter({ hasText: "wait: 9m" }).waitFor();
  await earlier.getByText(/^replaced/).waitFor();
  await page.goto("/runs/RUN-1");
  await page.getByRole("link", { name: versions[1].hash.slice(0, 12) }).click();
  await page.waitForURL(new RegExp(`against=${versions[1].hash}`));
  await earlier.getByText("pinned to it").waitFor();
  await earlier.getByRole("link", { name: "RUN-1" }).waitFor();
  await accessible(page, "a playbook against an earlier version");
});

journey("a run shows what its steps were given and gave, what it waits for, and is begun again", {}, async (page) => {
  await page.goto("/runs/RUN-1");
  await page.getByRole("heading", { level: 1, name: "RUN-1" }).waitFor();
  const first = page.locator(".run-steps li").first();
  await first.waitFor();
  if ((await first.locator("summary").count()) > 0) {
    await first.locator("summary").click();
    await first.getByText("What the plan says").waitFor();
  }
  await page.getByRole("button", { name: "Run again…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: /^Run / }).click();
  await page.waitForURL(/runs\/RUN-\d+\?beside=RUN-1/);
  await page.getByRole("region", { name: /beside RUN-1/ }).locator("tbody tr").first().waitFor();
});

journey("a filter is written in words of playbooks, told what is wrong, kept, and acted upon", {}, async (page) => {
  await world.send(beacon(60), beacon(61), beacon(62));
  await world.until("/api/v1/queue?q=10.20.0.63", (v) => v.total === 1);
  await page.goto("/queue");
  await page.locator(".grid .row").first().waitFor();
  await page.keyboard.press("f");
  const box = page.getByRole("textbox", { name: "Filter" });
  await box.fill('incident.kin == "c2"');
  await box.press("Enter");
  await page.getByRole("status").filter({ hasText: "kin" }).waitFor();
  await accessible(page, "a filter that is wrong");
  const text = 'incident.kind == "c2" && incident.owner == "" && ip_in(incident.peer, "198.51.100.60/30")';
  await box.fill(text);
  await box.press("Enter");
  await page.waitForURL(/where=.*ip_in/);
  const { total } = await world.api(`/api/v1/queue?where=${encodeURIComponent(text)}`);
  assert.ok(total > 0, "some match");
  await page.getByRole("status").filter({ hasText: `${total} incident` }).waitFor();
  await page.getByRole("button", { name: "Keep…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("free c2 nearby");
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.goto("/queue");
  await page.getByRole("link", { name: "free c2 nearby" }).click();
  await page.waitForURL(/where=/);
  await page.locator('.grid[aria-busy="false"] .row').nth(total - 1).waitFor();
  await page.getByRole("checkbox").first().click();
  if (total > 1) await page.getByRole("button", { name: /Select all/ }).click();
  await page.getByRole("region", { name: "Selected" }).getByRole("button", { name: /Acknowledge/ }).click();
  await world.until(`/api/v1/queue?where=${encodeURIComponent(text)}`, (v) => v.total === 0);
  await page.getByRole("button", { name: "Keep…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Give up free c2 nearby" }).click();
  await page.getByRole("link", { name: "free c2 nearby" }).waitFor({ state: "detached" });
});

journey("the queue and an incident leave as files of every kind", {}, async (page) => {
  const take = async (where, words) => {
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const list = page.getByRole("group", { name: `Export ${where}` });
    const [file] = await Promise.all([page.waitForEvent("download"), list.getByText(words).click()]);
    await list.waitFor({ state: "hidden" });
    await page.getByText(`${file.suggestedFilename()} was made`).waitFor();
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), "latin1") };
  };
  await page.goto("/queue");
  await page.locator(".grid .row").first().waitFor();
  const csv = await take("the queue", "CSV");
  assert.equal(csv.name, "stanch-queue.csv");
  assert.match(csv.text, /^id,severity,status/);
  // Where the bar breaks into several lines the list stays whole, and on the screen.
  for (const width of [1000, 720, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const list = page.getByRole("group", { name: "Export the queue" });
    const box = await list.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width && box.y + box.height <= 800, `${width}: ${JSON.stringify(box)}`);
    await accessible(page, `the list of exports at ${width} px`);
    await page.keyboard.press("Escape");
    await list.waitFor({ state: "hidden" });
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/incidents/INC-1");
  await page.getByRole("heading", { name: "What happened" }).waitFor();
  const stix = JSON.parse((await take("INC-1", "STIX")).text);
  assert.equal(stix.type, "bundle");
  assert.ok(stix.objects.some((o) => o.type === "incident"));
  const ocsf = JSON.parse((await take("INC-1", "OCSF")).text);
  assert.equal(ocsf[0].class_uid, 2005);
  const pdf = await take("INC-1", "PDF");
  assert.equal(pdf.name, "INC-1.pdf");
  assert.match(pdf.text, /^%PDF-1/);
  assert.match((await take("INC-1", "Markdown")).text, /^# INC-1/);
});

journey("on a phone, 360 px wide, the question can be read and answered", { width: 360, height: 740 }, async (page) => {
  await world.send(beacon(80));
  await world.until("/api/v1/queue?q=10.20.0.81", (v) => v.rows[0]?.approvals.length > 0);
  const id = (await world.api("/api/v1/queue?q=10.20.0.81")).rows[0].approvals[0];
  await page.goto("/approvals");
  await page.getByRole("link", { name: "Review and decide" }).first().waitFor();
  await fits(page, "approvals");
  await accessible(page, "approvals at 360 px");
  await page.goto(`/approvals/${id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Exactly", { exact: true }).waitFor();
  await fits(page, "the question");
  await accessible(page, "the question at 360 px");
  const no = dialog.getByRole("button", { name: "No", exact: true });
  assert.ok((await no.boundingBox()).height >= 44, "large enough for a thumb");
  await no.click();
  await dialog.getByText("A no needs a reason").waitFor();
  await dialog.getByLabel(/^Reason/).fill("a planned test");
  await no.click();
  await dialog.getByText("denied", { exact: true }).first().waitFor();
});

journey("at twice the size nothing is cut off", { width: 720, height: 450 }, async (page) => {
  for (const path of ["/queue", "/incidents/INC-1", "/approvals", "/approvals/APR-1", "/playbooks", "/playbooks/c2-beacon", "/playbooks/c2-beacon/edit", "/runs/RUN-1", "/clock", "/sources", "/exercises", "/reviews", "/settings"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
    await loaded(page);
    await fits(page, path);
  }
});

journey("who wants no motion sees none", {}, async (page) => {
  for (const path of ["/queue", "/incidents/INC-1", "/approvals/APR-1", "/clock"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
    await loaded(page);
    const moving = await page.evaluate(() => {
      const long = (text) => text.split(",").some((t) => Number.parseFloat(t) * (t.trim().endsWith("ms") ? 1 : 1000) > 1);
      return [...document.querySelectorAll("*")]
        .filter((el) => {
          const s = getComputedStyle(el);
          return (s.animationName !== "none" && long(s.animationDuration)) || (s.transitionProperty !== "none" && long(s.transitionDuration));
        })
        .map((el) => `${el.tagName.toLowerCase()}.${el.getAttribute("class") ?? ""}`);
    });
    assert.deepEqual([...new Set(moving)], [], path);
  }
});

journey("when the server was restarted, one signs in again and goes on", {}, async (page) => {
  await page.goto("/clock");
  await page.getByText("Live", { exact: true }).waitFor();
  await world.stopServer();
  await page.getByText("What you see is from").waitFor();
  await world.again();
  await page.getByLabel("Your token").waitFor({ timeout: patience(60_000) });
  await signIn(page, world.tokens["demo-operator"]);
  await page.goto("/clock");
  await page.getByText("Machine time").waitFor();
});
