import { expect, it } from "vitest";
import { hashOf, parseHash } from "../../src/lib/route";

it.each(["digits", "a b/c", "Zoë#1", "100%"])("finds %s again", (app) => {
  expect(parseHash(hashOf(app, "card"))).toEqual({ app, tab: "card" });
});

it("falls back to trying the first app", () => {
  expect(parseHash("")).toEqual({ app: null, tab: "try" });
  expect(parseHash("#/digits/nonsense")).toEqual({ app: "digits", tab: "try" });
  expect(parseHash("#/%E0%A4%A/try")).toEqual({ app: "%E0%A4%A", tab: "try" });
});
