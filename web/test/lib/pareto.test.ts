import { describe, expect, it } from "vitest";
import type { Search, Trial } from "../../src/api/types";
import { byMetric, bySize, clock, unbeaten } from "../../src/lib/pareto";

const trial = (plan: string, metric: number, model_ms: number, size_mb: number): Trial => ({
  plan,
  metric,
  model_ms,
  size_mb,
  p95_ms: 10 * model_ms,
  drop_bound: plan === "fp32 ONNX" ? 0 : 0.02,
  kept: plan !== "fp32 ONNX",
});
const SEARCH: Search = {
  metric: "accuracy",
  lower_is_better: false,
  records: 100,
  drop: 0.01,
  limits: { "drop (95 % bound)": 0.01, "time over fp32 ONNX (95 % bound)": 1.02, "size (MB)": 5 },
  shipped: "fast",
  reference: "fp32 ONNX",
  trials: [
    trial("fp32 ONNX", 0.95, 4, 4),
    trial("fast", 0.94, 1, 2),
    trial("slow", 0.93, 3, 3),
    trial("bad", 0.2, 2, 1),
  ],
};
const names = (marks: { trial: Trial }[]) => marks.map((mark) => mark.trial.plan);

describe("unbeaten", () => {
  it("keeps those that no other beats in both costs", () => {
    const found = unbeaten(SEARCH.trials, ({ model_ms, size_mb }) => [model_ms, size_mb]);
    expect(found.map(({ plan }) => plan)).toEqual(["fast", "bad"]);
  });
  it("keeps one of equals", () => {
    expect(unbeaten([trial("a", 1, 1, 1), trial("b", 1, 1, 1)], ({ model_ms }) => [model_ms, 1])).toHaveLength(1);
  });
});

describe("the metric against time", () => {
  it("has the front of those that are better or faster", () => {
    expect(names(byMetric(SEARCH).front)).toEqual(["fast", "fp32 ONNX"]);
  });
  it("has the limits of drop and time, and the bound that counts", () => {
    const picture = byMetric(SEARCH);
    expect(picture.yLimit?.at).toBeCloseTo(0.94);
    expect(picture.xLimit?.at).toBeCloseTo(4.08);
    expect(picture.marks.find((mark) => mark.trial.plan === "fast")?.bound).toBeCloseTo(0.93);
    expect(picture.marks.find((mark) => mark.trial.plan === "fp32 ONNX")?.bound).toBeUndefined();
  });
  it("does not reach down to what fell far", () => {
    const [low, high] = byMetric(SEARCH).ends;
    expect(low).toBeCloseTo(0.93);
    expect(high).toBeCloseTo(0.95);
  });
  it("is turned over for a metric of which less is better", () => {
    const search = { ...SEARCH, lower_is_better: true };
    expect(names(byMetric(search).front)).toEqual(["fast", "bad"]);
    expect(byMetric(search).yLimit?.at).toBeCloseTo(0.96);
  });
});

describe("the size against time", () => {
  it("is over the time of the model where no latency was asked", () => {
    expect(bySize(SEARCH).marks[0]?.x).toBe(4);
    expect(bySize(SEARCH).yLimit?.at).toBe(5);
    expect(clock(SEARCH)).toContain("model alone");
  });
  it("is over the latency that was asked", () => {
    const search = { ...SEARCH, limits: { "latency p95 (ms)": 20, "size (MB)": 5 } };
    expect(bySize(search).marks[0]?.x).toBe(40);
    expect(bySize(search).xLimit?.at).toBe(20);
    expect(clock(search)).toContain("p95");
  });
});
