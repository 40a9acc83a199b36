import { expect, it } from "vitest";
import { heard, peaks, readable } from "../../src/lib/sound";

it("finds the loudest of each part", () => {
  expect(peaks(new Float32Array([0, -1, 0.25, 0.5, 0, 0]), 3)).toEqual([1, 0.5, 0]);
});

it("gives as many peaks as asked for, though there are fewer samples", () => {
  expect(peaks(new Float32Array([1]), 4)).toHaveLength(4);
  expect(peaks(new Float32Array(), 2)).toEqual([0, 0]);
});

it("tells the centre that a model hears of a longer recording", () => {
  expect(heard(4, { seconds: 1 })).toEqual([0.375, 0.625]);
  expect(heard(0.5, { seconds: 1 })).toEqual([0, 1]);
  expect(heard(4, { seconds: 1, trim_db: 40 })).toEqual([0, 1]); // What is trimmed is not known here.
});

it.each(["a.wav", "a.FLAC", "a.ogg", "a.mp3"])("sends %s as it is", async (name) => {
  const file = new File(["x"], name);
  expect(await readable(file)).toBe(file);
});

it("sends what neither browser nor server can read as it is, so that the server tells why", async () => {
  const file = new File(["x"], "a.m4a", { type: "audio/mp4" });
  expect(await readable(file)).toBe(file);
});
