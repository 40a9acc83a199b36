import { describe, expect, it } from "vitest";
import { answer, answered, chosen, desk, handOver, history, onPage, sample, withBrowser } from "./browser";

withBrowser();

/** Whether anything was drawn on the canvas in the answer. */
const painted = (canvas: HTMLCanvasElement | SVGElement) => {
  const { width, height } = canvas as HTMLCanvasElement;
  const data = (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height).data ?? [];
  return data.filter((_, index) => index % 4 === 3).some((alpha) => alpha > 0);
};

describe("sound", () => {
  it("is chosen from a file; its waveform shows what the model hears of it", () =>
    onPage("/#/pitch/try", async (page) => {
      await page.getByLabel("Choose a recording").setInputFiles(sample("low.wav"));
      expect(await chosen(page)).toBe("low");
      await answer(page).getByText("the model hears 1.00").waitFor();
      const wave = answer(page).getByRole("img", { name: "Waveform of low.wav" });
      expect(await wave.evaluate(painted)).toBe(true);
      expect(await answer(page).locator("figcaption").textContent()).toMatch(/^low \d/);
    }));

  it("is dropped, and played", () =>
    onPage("/#/pitch/try", async (page) => {
      await page.getByText("Choose a recording").waitFor();
      await handOver(page, "drop", ["high.wav"]);
      expect(await chosen(page)).toBe("high");
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("button", { name: "Play" }).waitFor();
    }));

  it("is recorded, and sent as WAV", () =>
    onPage(
      "/#/pitch/try",
      async (page) => {
        await page.getByRole("button", { name: "Record", exact: true }).click();
        await expect.poll(() => page.getByRole("timer").textContent()).toMatch(/^[1-9]/);
        const sent = page.waitForRequest((request) => request.url().endsWith("/predict"));
        await page.getByRole("button", { name: "Stop and ask" }).click();
        expect((await sent).headers()["content-type"]).toBe("audio/wav");
        expect(["low", "high"]).toContain(await chosen(page));
        await answer(page)
          .getByText(/recording\.wav · [1-9]/)
          .waitFor();
      },
      { permissions: ["microphone"] },
    ));

  it("says what to do where the microphone is refused", () =>
    onPage("/#/pitch/try", async (page) => {
      await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
      });
      await page.getByRole("button", { name: "Record", exact: true }).click();
      await page.getByRole("alert").getByText("The microphone was refused").waitFor();
    }));
});

describe("a text", () => {
  it("is typed and asked with Ctrl + Enter", () =>
    onPage("/#/questions/try", async (page) => {
      await page.getByLabel("A text").fill(desk.question.text);
      await page.keyboard.press("Control+Enter");
      expect(await chosen(page)).toBe(desk.question.label);
      await answer(page).getByText(desk.question.text, { exact: true }).waitFor();
    }));

  it("is asked with the button, and pasted", () =>
    onPage("/#/questions/try", async (page) => {
      await page.getByLabel("A text").fill("rate");
      await page.getByRole("button", { name: "Ask" }).click();
      await answered(page);
      await page.evaluate(() => {
        const transfer = new DataTransfer();
        transfer.setData("text/plain", "a pasted text");
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
      });
      await answer(page).getByText("a pasted text", { exact: true }).waitFor();
      await expect.poll(() => history(page).getByRole("listitem").count()).toBe(2);
    }));

  it("shows what was found in it at its place", () =>
    onPage("/#/places/try", async (page) => {
      const text = "😀 Zoë paid in Köln, twice";
      await page.getByLabel("A text").fill(text);
      await page.keyboard.press("Control+Enter");
      await answered(page);
      const found = await answer(page).locator(".found mark").count();
      expect(found).toBeGreaterThan(0);
      const shown = await answer(page)
        .locator(".found")
        .evaluate((element) => {
          for (const kind of element.querySelectorAll("small")) kind.remove();
          return element.textContent;
        });
      expect(shown).toBe(text);
      await expect.poll(() => answer(page).getByRole("row").count()).toBe(found + 1);
    }));
});
