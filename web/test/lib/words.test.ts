import { describe, expect, it } from "vitest";
import { clause, digits, megabytes, milliseconds, percent, points, seconds, shortPlan } from "../../src/lib/words";

const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("percent", () => {
  it.each([
    [0, "0 %"],
    [1, "100 %"],
    [0.5, "50.0 %"],
    [0.9972, "99.72 %"],
    [0.0012, "0.12 %"],
    [1e-9, "< 0.01 %"],
    [1 - 1e-9, "> 99.99 %"],
  ])("says %d as %s", (value, words) => expect(plain(percent(value))).toBe(words));
});

describe("units", () => {
  it("keeps three digits that count", () => {
    expect([0.0123456, 1.5, 1234.5].map((value) => digits(value))).toEqual(["0.0123", "1.5", "1,230"]);
  });
  it("turns to the next unit where numbers become long", () => {
    expect([0.348, 999, 1500].map(milliseconds).map(plain)).toEqual(["0.348 ms", "999 ms", "1.5 s"]);
    expect([0.004344, 0.15, 23.3].map(megabytes).map(plain)).toEqual(["4.34 kB", "0.15 MB", "23.3 MB"]);
    expect([0.3, 12.34, 83].map(seconds).map(plain)).toEqual(["0.30 s", "12.3 s", "1:23 min"]);
    expect(points(0.0167)).toBe("1.67 points");
  });
});

describe("clause", () => {
  const of = (name: string, asked: number, measured: number) => {
    const found = clause({ name, asked, measured, kept: true });
    return { ...found, asked: plain(found.asked), measured: plain(found.measured) };
  };
  it("writes figures in their unit, at most", () => {
    expect(of("latency p95 (ms)", 20, 0.35)).toEqual({
      name: "latency p95",
      asked: "≤ 20 ms",
      measured: "0.35 ms",
      least: false,
    });
    expect(of("size (MB)", 0.15, 0.05).measured).toBe("50 kB");
    expect(of("drop (95 % bound)", 0.02, 0.01).asked).toBe("≤ 2.00 points");
    expect(of("time over fp32 ONNX (95 % bound)", 1.02, 0.93).measured).toBe("0.93×");
  });
  it("asks a metric to be at least so much", () => {
    expect(of("metric (validation)", 0.95, 0.98)).toMatchObject({ asked: "≥ 95.0 %", measured: "98.0 %", least: true });
  });
});

it("shortens a plan by its settings", () => {
  expect(shortPlan("student cnn (widths 16, epochs 1.0) → int8")).toBe("student cnn → int8");
});
