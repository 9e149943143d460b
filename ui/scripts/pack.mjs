// Compresses what Vite made and holds it against the budgets: the server embeds exactly these files.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const KiB = 1024;
// Budgets, see docs/guide/console.md: first screen and any screen as gzip, everything as brotli.
const FIRST = 190 * KiB;
const ANY = 250 * KiB;
const ALL = 600 * KiB;
// The editor for YAML comes late and only where somebody writes; it has a budget of its own.
const EDITOR = 110 * KiB;

function files(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const manifest = JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8"));
rmSync(join(dist, "manifest.json"));
const gz = new Map();
let brotli = 0;
for (const path of files(dist).filter((p) => /\.(html|js|css|svg)$/.test(p))) {
  const bytes = readFileSync(path);
  const zipped = gzipSync(bytes, { level: 9 });
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(`${path}.gz`, zipped);
  writeFileSync(`${path}.br`, br);
  gz.set(relative(dist, path), zipped.length);
  brotli += br.length;
}

// What a screen loads: its own chunk and everything that one imports, and the entry.
function reach(key, seen = new Set()) {
  const chunk = manifest[key];
  if (!chunk || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const css of chunk.css ?? []) seen.add(css);
  for (const next of chunk.imports ?? []) reach(next, seen);
  return seen;
}

const entry = Object.keys(manifest).find((k) => manifest[k].isEntry);
const shell = reach(entry);
const size = (set) => [...set].reduce((sum, file) => sum + (gz.get(file) ?? 0), 0) + gz.get("index.html");
const over = [];
const show = (name, bytes, budget) => {
  if (bytes > budget) over.push(name);
  console.log(`${name.padEnd(34)} ${(bytes / KiB).toFixed(1).padStart(7)} KiB  (budget ${budget / KiB})`);
};
show("shell, gzip", size(shell), FIRST);
for (const key of Object.keys(manifest).filter((k) => /screens\/.*\.tsx$/.test(k))) {
  const all = reach(key, new Set(shell));
  // The graph of an incident comes with its screen, whatever else is loaded late.
  if (key.endsWith("incident.tsx")) {
    for (const graph of Object.keys(manifest).filter((k) => k.endsWith("screens/graph.tsx"))) reach(graph, all);
  }
  // So does the picture of a plan.
  if (key.endsWith("playbook-edit.tsx")) {
    for (const plan of Object.keys(manifest).filter((k) => k.endsWith("plan-graph.tsx"))) reach(plan, all);
  }
  show(`${key.replace("src/screens/", "").replace(".tsx", "")}, gzip`, size(all), key.endsWith("queue.tsx") ? FIRST : ANY);
}
const editor = Object.keys(manifest).find((k) => k.endsWith("yaml-editor.tsx"));
show("yaml editor, gzip", size(reach(editor, new Set(shell))) - size(shell), EDITOR);
show("everything, brotli", brotli, ALL);
if (over.length > 0) {
  console.error(`over budget: ${over.join(", ")}`);
  process.exit(1);
}
