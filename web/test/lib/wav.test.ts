import { expect, it } from "vitest";
import { encodeWav, joined } from "../../src/lib/wav";

const ascii = (view: DataView, at: number, length: number) =>
  String.fromCharCode(...new Uint8Array(view.buffer, at, length));

it("writes a header that tells what follows", async () => {
  const blob = encodeWav(new Float32Array(10), 16_000);
  const view = new DataView(await blob.arrayBuffer());
  expect(blob.type).toBe("audio/wav");
  expect([ascii(view, 0, 4), ascii(view, 8, 8), ascii(view, 36, 4)]).toEqual(["RIFF", "WAVEfmt ", "data"]);
  expect(view.getUint32(4, true)).toBe(view.byteLength - 8);
  expect([view.getUint16(20, true), view.getUint16(22, true), view.getUint16(34, true)]).toEqual([1, 1, 16]);
  expect([view.getUint32(24, true), view.getUint32(28, true)]).toEqual([16_000, 32_000]);
  expect(view.getUint32(40, true)).toBe(20);
});

it("keeps samples to half a step of 16 bits, and cuts what is too loud", async () => {
  const samples = new Float32Array([0, 0.5, -0.5, 1, -1, 3, -3]);
  const view = new DataView(await encodeWav(samples, 8000).arrayBuffer());
  const found = [...samples].map((_, index) => view.getInt16(44 + 2 * index, true));
  expect(found).toEqual([0, 16384, -16383, 32767, -32767, 32767, -32767]);
});

it("joins the pieces of a recording in their order", () => {
  expect([...joined([new Float32Array([1, 2]), new Float32Array(), new Float32Array([3])])]).toEqual([1, 2, 3]);
});
