/** A real Chromium, and the hands to use it with. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";

interface Desk {
  url: string;
  locked: string;
  key: string;
  samples: string;
  chromium: string;
  question: { text: string; label: string };
  trials: number;
}

export const desk = JSON.parse(readFileSync(process.env.LEPTON_E2E ?? "", "utf-8")) as Desk;
export const sample = (name: string) => join(desk.samples, name);

// A microphone that beeps, and nobody who must allow it.
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

let browser: Browser;

/** Open and close the browser around the tests of a file. */
export function withBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: desk.chromium, args: ARGUMENTS });
  });
  afterAll(() => browser.close());
}

/** What the browser says of a request that was refused; the page tells it in words of its own. */
const EXPECTED = /the server responded with a status of 4\d\d|net::ERR_FAILED/;

/** Do `work` on a page at `place`; whatever the browser complains of beside refused requests is a failure. */
export async function onPage(
  place: string,
  work: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
  server = desk.url,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints: string[] = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("console", (message) => {
      if (message.type() === "error" && !EXPECTED.test(message.text())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(server + place);
    await work(page);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
}

export const PHONE: BrowserContextOptions = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };

export const answer = (page: Page) => page.getByRole("region", { name: "Answer" });
export const history = (page: Page) => page.getByRole("region", { name: "Asked before" });

/** The label that was chosen, once the answer is there. */
export async function chosen(page: Page): Promise<string | null> {
  await answered(page);
  return answer(page).locator(".score-name").first().textContent();
}

export async function answered(page: Page): Promise<void> {
  await page.locator('section[aria-busy="false"]').getByText("from here to the server and back").waitFor();
}

/** Draw a line on the paper with the mouse; places are shares of its side. */
export async function draw(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const box = await page.getByRole("application", { name: "Drawing paper" }).boundingBox();
  if (!box) throw new Error("There is no paper");
  const at = ([x, y]: [number, number]) => [box.x + x * box.width, box.y + y * box.height] as const;
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 12 });
  await page.mouse.up();
}

/** Hand files over as a drop or a paste does. */
export async function handOver(page: Page, how: "drop" | "paste", names: string[]): Promise<void> {
  const files = names.map((name) => ({ name, data: readFileSync(sample(name)).toString("base64") }));
  await page.evaluate(
    ([kind, given]) => {
      const transfer = new DataTransfer();
      for (const { name, data } of given) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const type = name.endsWith(".wav") ? "audio/wav" : "image/png";
        transfer.items.add(new File([bytes], name, { type }));
      }
      const event =
        kind === "drop"
          ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    },
    [how, files] as const,
  );
}

/** Press Tab until what has the focus fits. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let count = 0; count < 60; count++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
  }
  throw new Error(`Tab never came to ${selector}`);
}
