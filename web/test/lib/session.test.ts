// @vitest-environment happy-dom
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../cleanup";
import { type Input, session, useVisit } from "../../src/lib/session";

const replies: ((answer: unknown) => void)[] = [];
const text = (body: string): Input => ({ kind: "text", body });
const drawing = (name: string): Input => ({ kind: "image", body: new Blob([name]), name, url: `blob:${name}` });

beforeEach(() => {
  replies.length = 0;
  vi.stubGlobal("fetch", () => new Promise((resolve) => replies.push((answer) => resolve(Response.json(answer)))));
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
});
afterEach(() => {
  session.clear("app");
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const visit = () => renderHook(() => useVisit("app")).result;
const reply = (index: number, answer: unknown) => act(async () => replies[index]?.(answer));

it("puts the newest first and shows it", async () => {
  const found = visit();
  act(() => {
    session.ask("app", text("one"));
    session.ask("app", text("two"));
  });
  expect(found.current.entries.map(({ input }) => input.body)).toEqual(["two", "one"]);
  expect(found.current.chosen?.waiting).toBe(true);
  await reply(1, [{ label: "b", score: 1 }]);
  await reply(0, [{ label: "a", score: 1 }]);
  expect(found.current.chosen?.answered?.answer).toEqual([{ label: "b", score: 1 }]);
  expect(found.current.entries[1]?.answered?.answer).toEqual([{ label: "a", score: 1 }]);
});

it("takes a drawing that has grown as the same entry, and no late answer to what it was", async () => {
  const found = visit();
  let id = 0;
  act(() => {
    id = session.ask("app", drawing("first"));
  });
  act(() => void session.ask("app", drawing("second"), id));
  expect(found.current.entries).toHaveLength(1);
  await reply(1, ["new"]);
  await reply(0, ["old"]);
  expect(found.current.chosen?.answered?.answer).toEqual(["new"]);
  expect(URL.revokeObjectURL).toHaveBeenCalledWith("blob:first");
});

it("lets the last answer stand until the next one comes", async () => {
  const found = visit();
  let id = 0;
  act(() => {
    id = session.ask("app", drawing("first"));
  });
  await reply(0, ["old"]);
  act(() => void session.ask("app", drawing("second"), id));
  expect(found.current.chosen).toMatchObject({ waiting: true, answered: { answer: ["old"] } });
});

it("keeps the last dozen, and lets go of the others' pictures", () => {
  const found = visit();
  act(() => {
    for (let index = 0; index < 15; index++) session.ask("app", drawing(String(index)));
  });
  expect(found.current.entries).toHaveLength(12);
  expect(URL.revokeObjectURL).toHaveBeenCalledTimes(3);
  expect(URL.revokeObjectURL).not.toHaveBeenCalledWith("blob:14");
});

it("keeps a problem as the outcome", async () => {
  const found = visit();
  vi.stubGlobal("fetch", async () => Response.json({ detail: "too long", rule: "at most 1" }, { status: 413 }));
  await act(async () => void session.ask("app", text("x")));
  expect(found.current.chosen?.problem?.body).toEqual({ detail: "too long", rule: "at most 1" });
});
