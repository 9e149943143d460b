import { describe, expect, it } from "vitest";
import { stale } from "../live/stale";
import { settle } from "./order";
import { column, type Place, place } from "./place";
import { csvField, isName, visible } from "./text";
import { countdown, moment, span } from "./time";

describe("text from outside", () => {
  it("shows what could move, hide or reverse what follows", () => {
    expect(visible("invoice\u202egpj.exe")).toBe("invoice·gpj.exe");
    expect(visible("\u001b[31mred\u0000\u200b")).toBe("␛[31mred␀·");
    expect(visible("two\nlines\tand <b>tags</b>")).toBe("two\nlines\tand <b>tags</b>");
  });
  it("becomes a link only when it is a name of ours", () => {
    for (const name of ["INC-1", "A-12", "APR-3", "ACT-4", "RUN-2"]) expect(isName(name)).toBe(true);
    for (const name of ["javascript:alert(1)", "INC-1/..", "INC-", "inc-1", "A-1 ", "", "INC-1\n"]) expect(isName(name)).toBe(false);
  });
  it("is never a formula in a table", () => {
    expect(csvField('=HYPERLINK("http://evil.example")')).toBe('"\'=HYPERLINK(""http://evil.example"")"');
    expect(csvField("@x")).toBe('"\'@x"');
    expect(csvField(12)).toBe('"12"');
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  it("always carry their zone", () => {
    expect(moment("2026-11-22T10:58:12Z", "utc", now, true)).toBe("10:58:12 UTC");
    expect(moment("2017-11-04T10:58:12Z", "utc", now, true)).toBe("2017-11-04 10:58:12 UTC");
    expect(moment("2026-11-22T10:58:12Z", "local", now)).toMatch(/UTC[+−]\d/);
    expect(moment("not a time", "utc", now)).toBe("not a time");
  });
  it("are told in their two largest units", () => {
    expect(span(160_000)).toBe("2 m 40 s");
    expect(span(3 * 86_400_000 + 4 * 3_600_000)).toBe("3 d 4 h");
    expect(span(120_000)).toBe("2 m");
    expect(span(400)).toBe("400 ms");
  });
  it("count down to nothing and no further", () => {
    expect(countdown(61_000)).toBe("01:01");
    expect(countdown(3_661_000)).toBe("1:01:01");
    expect(countdown(-5)).toBe("00:00");
  });
});

describe("the order of the queue", () => {
  it("keeps what is shown and tells what is new and what has gone", () => {
    const { fresh, gone } = settle(["a", "b", "c"], ["d", "c", "a"]);
    expect(fresh).toEqual(["d"]);
    expect([...gone]).toEqual(["b"]);
  });
});

describe("cards", () => {
  const card = (id: string, acted: number, suffered: number) => ({ id, acted, suffered, peer: false });
  it("stand by what they did", () => {
    expect([column(card("a", 9, 1)), column(card("b", 2, 2)), column(card("c", 0, 1))]).toEqual([0, 1, 2]);
  });
  it("keep their place when others come, and share it with nobody", () => {
    const kept = new Map<string, Place>();
    const cards = [card("a", 5, 0), card("b", 0, 5)];
    place({ cards, links: [{ from: "a", to: "b", alerts: 1 }] }, kept);
    const before = new Map(kept);
    place({ cards: [...cards, ...Array.from({ length: 20 }, (_, n) => card(`n${n}`, n, 1))], links: [] }, kept);
    for (const [id, at] of before) expect(kept.get(id)).toEqual(at);
    const fresh = [...kept].filter(([id]) => id.startsWith("n")).map(([, p]) => `${p.x} ${p.y}`);
    expect(new Set(fresh).size).toBe(20);
  });
});

describe("a change in the journal", () => {
  it("makes stale what it concerns and leaves the rest", () => {
    expect(stale(["approval_requested"])).toContain("approvals");
    expect(stale(["intake"])).not.toContain("queue");
    expect(stale(["incident_opened"])).toContain("queue");
    expect(stale(["kill_switch"])).toContain("settings");
  });
});
