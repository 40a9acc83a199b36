import { expect, it } from "vitest";
import { pieces } from "../../src/lib/entities";

const entity = (start: number, end: number) => ({ entity_group: "place", score: 1, word: "", start, end });

it("cuts a text by code points, as Python counts", () => {
  const text = "😀 in Köln!";
  expect(pieces(text, [entity(5, 9)]).map((piece) => piece.text)).toEqual(["😀 in ", "Köln", "!"]);
});

it("gives the whole text back, whatever the order of the entities", () => {
  const found = pieces("one two three", [entity(8, 13), entity(0, 3)]);
  expect(found.map((piece) => piece.text).join("")).toBe("one two three");
  expect(found.map((piece) => Boolean(piece.entity))).toEqual([true, false, true]);
});

it("leaves out an entity that begins inside another", () => {
  const found = pieces("one two", [entity(0, 5), entity(4, 7)]);
  expect(found.filter((piece) => piece.entity)).toHaveLength(1);
  expect(found.map((piece) => piece.text).join("")).toBe("one two");
});

it("is one piece where nothing was found", () => {
  expect(pieces("nothing", [])).toEqual([{ text: "nothing", start: 0 }]);
});
