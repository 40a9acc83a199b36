import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { answered, chosen, desk, draw, onPage, PHONE, sample, tabTo, withBrowser } from "./browser";

withBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const TABS = ["try", "contract", "card", "traffic"];

/** What is wrong for readers with a screen reader, weak eyes or no mouse, as far as rules can tell. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      nodes: { html: string; failureSummary: string }[];
    }
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}

describe("the page", () => {
  it("opens the first app, and each app and tab has an address", () =>
    onPage("/", async (page) => {
      await page.getByRole("heading", { name: "shapes", level: 1 }).waitFor();
      await expect.poll(() => page.getByRole("navigation", { name: "Apps" }).getByRole("link").count()).toBe(5);
      await page.getByRole("link", { name: "pitch" }).click();
      await page.getByRole("tab", { name: "Card" }).click();
      await expect.poll(() => page.url()).toBe(`${desk.url}/#/pitch/card`);
      expect(await page.title()).toBe("pitch · Lepton");
      await page.goBack();
      await page.getByRole("tab", { name: "Try it", selected: true }).waitFor();
      await page.reload();
      await page.getByRole("heading", { name: "pitch", level: 1 }).waitFor();
    }));

  it("says so where an address names no app", () =>
    onPage("/#/nobody/try", async (page) => {
      await page.getByRole("heading", { name: "No app is called nobody" }).waitFor();
    }));

  it("is used with the keyboard alone", () =>
    onPage("/", async (page) => {
      await page.getByRole("heading", { name: "shapes", level: 1 }).waitFor();
      await tabTo(page, 'a[href="#/questions/try"]');
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "questions", level: 1 }).waitFor();
      await tabTo(page, '[role="tab"]');
      await page.keyboard.press("ArrowRight");
      await page.getByRole("tab", { name: "Contract", selected: true }).waitFor();
      await page.keyboard.press("Home");
      await page.getByRole("tab", { name: "Try it", selected: true }).waitFor();
      await tabTo(page, "textarea");
      await page.keyboard.type(desk.question.text);
      await page.keyboard.press("Control+Enter");
      expect(await chosen(page)).toBe(desk.question.label);
      await tabTo(page, "summary");
      await page.keyboard.press("Enter");
      await page.getByText('"label"').first().waitFor();
    }));

  it("skips past the apps to the one that is open", () =>
    onPage("/", async (page) => {
      await page.getByRole("heading", { name: "shapes", level: 1 }).waitFor();
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
    }));
});

describe("a phone", () => {
  it.each(TABS)("has all of the tab %s in its width", (tab) =>
    onPage(
      `/#/shapes/${tab}`,
      async (page) => {
        await page.getByRole("tabpanel").waitFor();
        const [inner, outer] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.documentElement.clientWidth,
        ]);
        expect(outer).toBe(375);
        expect(inner).toBe(375);
      },
      PHONE,
    ),
  );

  it("picks an app, takes a picture, and draws with a finger", () =>
    onPage(
      "/#/colours/try",
      async (page) => {
        await page.getByLabel("Choose a picture").setInputFiles(sample("blue.png"));
        expect(await chosen(page)).toBe("blue");
        await page.getByRole("link", { name: "shapes" }).tap();
        await page.getByRole("application").waitFor();
        await page.getByRole("application").scrollIntoViewIfNeeded();
        await draw(page, [0.2, 0.5], [0.8, 0.5]);
        expect(await chosen(page)).toBe("lying");
      },
      PHONE,
    ));
});

describe.each(["light", "dark"] as const)("the %s scheme", (colorScheme) => {
  it("is the one that was asked for", () =>
    onPage(
      "/",
      async (page) => {
        await page.getByRole("heading", { level: 1 }).waitFor();
        const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const [red] = paper.match(/\d+/g)!.map(Number);
        expect(red! > 128).toBe(colorScheme === "light");
      },
      { colorScheme },
    ));

  it.each(TABS)("has no barriers on the tab %s", (tab) =>
    onPage(
      `/#/shapes/${tab}`,
      async (page) => {
        await page.getByRole("tabpanel").waitFor();
        if (tab === "try") {
          await draw(page, [0.5, 0.2], [0.5, 0.8]);
          await answered(page);
        }
        expect(await barriers(page)).toEqual([]);
      },
      { colorScheme },
    ),
  );
});

describe("a key", () => {
  it("is asked for, refused when it is wrong, and kept for the visit when it is right", () =>
    onPage(
      "/",
      async (page) => {
        const dialog = page.getByRole("dialog", { name: "This server asks for a key" });
        await dialog.waitFor();
        expect(await barriers(page)).toEqual([]);
        await dialog.getByLabel("API key").fill("not one of its keys");
        await dialog.getByRole("button", { name: "Use this key" }).click();
        await dialog.getByText("is not one of its keys").waitFor();
        await dialog.getByLabel("API key").fill(desk.key);
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "colours", level: 1 }).waitFor();
        await page.getByLabel("Choose a picture").setInputFiles(sample("red.png"));
        expect(await chosen(page)).toBe("red");
        await page.getByText("Server answers").waitFor();

        await page.reload();
        await page.getByRole("heading", { name: "colours", level: 1 }).waitFor();
        expect(await page.evaluate(() => [sessionStorage.length, localStorage.length])).toEqual([1, 0]);
        await page.getByRole("button", { name: "Forget the key" }).click();
        await dialog.waitFor();
      },
      {},
      desk.locked,
    ));
});
