// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { apps, type Problem, predict } from "../../src/api/client";
import { keys } from "../../src/api/key";

const fetched = vi.fn<typeof fetch>();

beforeEach(() => {
  vi.stubGlobal("fetch", fetched);
  keys.forget();
});
afterEach(() => {
  fetched.mockReset();
  vi.unstubAllGlobals();
});

const problem = () => apps().catch((error: unknown) => error as Problem);
const sent = () => new Headers(fetched.mock.lastCall?.[1]?.headers);

it("asks for the app by its name, whatever is in it", async () => {
  fetched.mockResolvedValue(Response.json([], { headers: { "X-Lepton-App": "abc" } }));
  const found = await predict("a/b c", "text", "text/plain");
  expect(fetched.mock.lastCall?.[0]).toBe("/v1/apps/a%2Fb%20c/predict");
  expect(sent().get("Content-Type")).toBe("text/plain");
  expect(found).toMatchObject({ answer: [], id: "abc" });
});

describe("a problem", () => {
  it("has the parts that the server told", async () => {
    const body = { detail: "no", rule: "yes", remedy: "do" };
    fetched.mockResolvedValue(Response.json(body, { status: 503, headers: { "Retry-After": "2" } }));
    expect(await problem()).toMatchObject({ status: 503, body, after: 2, message: "no" });
  });
  it("is told though a proxy answers in words", async () => {
    fetched.mockResolvedValue(new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect(await problem()).toMatchObject({ status: 502, message: "Bad Gateway" });
  });
  it("is told where nothing answers", async () => {
    fetched.mockRejectedValue(new TypeError("Failed to fetch"));
    expect(await problem()).toMatchObject({ status: 0, message: "The server does not answer" });
  });
});

describe("the key", () => {
  it("is asked for once the server wants one, and sent from then on", async () => {
    fetched.mockResolvedValue(Response.json({ detail: "a key" }, { status: 401 }));
    await problem();
    expect(keys.get()).toEqual({ key: null, wanted: true });
    keys.give("secret");
    expect(sessionStorage.getItem("lepton.key")).toBe("secret");
    fetched.mockResolvedValue(Response.json({ apps: [] }));
    await apps();
    expect(sent().get("Authorization")).toBe("Bearer secret");
    expect(keys.get().wanted).toBe(false);
  });
  it("is not asked for again because of what was sent before it was given", async () => {
    fetched.mockImplementation(async () => {
      keys.give("secret");
      return Response.json({}, { status: 401 });
    });
    await problem();
    expect(keys.get()).toEqual({ key: "secret", wanted: false });
  });
});
