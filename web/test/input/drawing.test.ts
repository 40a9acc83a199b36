import { describe, expect, it } from "vitest";
import { fitted, inside, type Stroke, sideOf } from "../../src/input/drawing";

const stroke = (...points: [number, number][]): Stroke => ({
  points: points.map(([x, y]) => ({ x, y })),
  width: 0.1,
  ink: "#fff",
});

describe("fitted", () => {
  it("brings the ink to the middle and to its share of the side", () => {
    const [found] = fitted([stroke([0.1, 0.1], [0.2, 0.4])], 0.8);
    const xs = found!.points.map(({ x }) => x);
    const ys = found!.points.map(({ y }) => y);
    expect(ys[1]! - ys[0]! + 0.1).toBeCloseTo(0.8);
    expect((ys[0]! + ys[1]!) / 2).toBeCloseTo(0.5);
    expect((xs[0]! + xs[1]!) / 2).toBeCloseTo(0.5);
    expect((xs[1]! - xs[0]!) / (ys[1]! - ys[0]!)).toBeCloseTo(1 / 3); // Proportions stay.
  });
  it("makes a dot no larger, and a small mark at most four times", () => {
    expect(fitted([stroke([0.9, 0.9])], 0.8)[0]!.points).toEqual([{ x: 0.5, y: 0.5 }]);
    const [found] = fitted([stroke([0.9, 0.9], [0.91, 0.9])], 0.8);
    expect(found!.points[1]!.x - found!.points[0]!.x).toBeCloseTo(0.04);
  });
  it("has nothing to do for an empty paper", () => expect(fitted([], 0.8)).toEqual([]));
});

it.each([
  [8, 320],
  [28, 308],
  [64, 320],
  [224, 224],
  [undefined, 224],
])("a picture for a model of %s pixels has %d", (size, side) => expect(sideOf(size)).toBe(side));

it("keeps a point on the paper", () => expect(inside({ x: -1, y: 2 })).toEqual({ x: 0, y: 1 }));
