import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hunks, lineDiff } from "./linediff";
import { place, type Schema, suggest } from "./schema";

const root = JSON.parse(readFileSync(new URL("../../../docs/reference/playbook.schema.json", import.meta.url), "utf8")) as Schema;
/** Suggestions where the text has a `^`. */
const at = (text: string) => {
  const cursor = text.indexOf("^");
  const found = place(text.replace("^", ""), cursor);
  return found ? suggest(root, found).map((s) => s.label) : undefined;
};

describe("suggestions", () => {
  test("keys of the head stand at the left, those that are needed first", () => {
    expect(at("na^")?.slice(0, 3)).toContain("name");
    expect(at("name: x\n^")).toContain("steps");
  });
  test("a step offers its kinds, also behind a dash", () => {
    for (const text of ["steps:\n  - ^", "steps:\n- ^", "steps:\n  - id: a\n    blo^", "steps:\n  - id: a\n    wait: 1m\n  - id: b\n    ^"]) {
      expect(at(text), text).toContain("block_address");
    }
    expect(at("steps:\n  - id: a\n    ^")).not.toContain("target");
  });
  test("a kind offers its own keys, in both ways of writing", () => {
    for (const text of ["steps:\n  - id: a\n    block_address:\n      ^", "steps:\n  - id: a\n    block_address: { tar^", "steps:\n  - id: a\n    block_address: { target: x, t^"]) {
      expect(at(text), text).toEqual(expect.arrayContaining(["target", "ttl", "approvers"]));
    }
  });
  test("steps within steps are steps", () => {
    expect(at("steps:\n  - id: a\n    if:\n      condition: x\n      then:\n        - id: b\n          ^")).toContain("notify");
  });
  test("values are offered where they are words", () => {
    expect(at("steps:\n  - id: a\n    verify: ^")).toContain("all");
    expect(at("steps:\n  - id: a\n    block_address:\n      undo: ^")).toEqual(["none"]);
  });
  test("prose and comments are left alone", () => {
    expect(at("# ^")).toBeUndefined();
    expect(at("sop: |\n  What ^")).toBeUndefined();
  });
});

describe("differences of lines", () => {
  test("what stayed stays, what changed is told in order", () => {
    const lines = lineDiff("a\nb\nc\nd", "a\nx\nc\nd\ne");
    expect(lines.map((l) => `${l.kind[0]}${l.text}`)).toEqual(["sa", "gb", "nx", "sc", "sd", "ne"]);
  });
  test("far from a difference lines are left out and counted", () => {
    const many = Array.from({ length: 20 }, (_, n) => `l${n}`);
    const shown = hunks(lineDiff(many.join("\n"), [...many.slice(0, 10), "new", ...many.slice(10)].join("\n")), 2);
    expect(shown.map((h) => h.line.text)).toEqual(["l8", "l9", "new", "l10", "l11"]);
    expect(shown[0]?.skipped).toBe(8);
  });
});
