// What several journeys share.
import AxeBuilder from "@axe-core/playwright";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../docs/img/console", import.meta.url));
/** A picture in the documentation is at most this large, in bytes. */
const LARGEST = 150 * 1024;

/** Nothing went wrong in the page: no error, no dialog, no breach of the content policy. */
export function calm(page) {
  assert.deepEqual(page.trouble, []);
}

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** No rule of WCAG 2.2 AA is broken on what is shown. */
export async function accessible(page, what) {
  // To look into the style sheets of a shadow root axe writes a style element, which our policy refuses and
  // tells; there it does without (one rule, about the turning of phones).
  const preload = (await page.locator(".yaml-editor").count()) === 0;
  const { violations } = await new AxeBuilder({ page }).options({ preload }).withTags(TAGS).analyze();
  const found = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary?.split("\n")[1]?.trim()}`));
  assert.deepEqual(found, [], `${what}: ${found.length} violations`);
}

/** Nothing is on its way any more. */
export async function loaded(page) {
  await page.waitForFunction(
    () => document.contentType !== "text/html" || (document.querySelector("main, form") !== null && document.querySelector(".loading") === null),
  );
  // What was drawn is on the screen.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Nothing is wider than the screen. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${what} is ${over} px wider than the screen`);
}

/** In each theme: no rule of WCAG is broken, and a picture. */
export async function pictures(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
    await accessible(page, `${name} in ${colorScheme}`);
    await picture(page, `${name}-${colorScheme}`);
  }
}

/** A picture for the documentation, with a palette of 256 colours; only when asked for. */
export async function picture(page, name) {
  if (!process.env.STANCH_PICTURES) return;
  const png = await page.screenshot();
  const small = spawnSync("pngquant", ["--quality=60-95", "--speed=1", "--strip", "-"], { input: png, maxBuffer: 1 << 26 });
  assert.equal(small.status, 0, `pngquant: ${small.error ?? small.stderr}`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.png`);
  writeFileSync(file, small.stdout);
  assert.ok(statSync(file).size <= LARGEST, `${name}.png has ${statSync(file).size} bytes`);
}
