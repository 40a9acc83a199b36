import { describe, expect, it } from "vitest";
import { answer, answered, chosen, draw, handOver, history, onPage, sample, tabTo, withBrowser } from "./browser";

withBrowser();

describe("drawing", () => {
  it("is answered after each stroke, and is one entry however it grows", () =>
    onPage("/#/shapes/try", async (page) => {
      await draw(page, [0.5, 0.2], [0.5, 0.8]);
      expect(await chosen(page)).toBe("standing");
      await draw(page, [0.4, 0.2], [0.4, 0.8]);
      await answered(page);
      await expect.poll(() => history(page).getByRole("listitem").count()).toBe(1);
      await page.getByRole("button", { name: "Clear" }).click();
      await draw(page, [0.2, 0.5], [0.8, 0.5]);
      await history(page).getByText("lying").waitFor();
      await expect.poll(() => history(page).getByRole("listitem").count()).toBe(2);
    }));

  it("is sent as a PNG of whole multiples of the model's pixels, in the middle of the paper", () =>
    onPage("/#/shapes/try", async (page) => {
      const sent = page.waitForRequest((request) => request.url().endsWith("/v1/apps/shapes/predict"));
      await draw(page, [0.1, 0.1], [0.1, 0.3]);
      expect((await sent).headers()["content-type"]).toBe("image/png");
      await answered(page);
      const seen = await answer(page)
        .getByRole("img", { name: "drawing.png" })
        .evaluate((image: HTMLImageElement) => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 320 });
          const context = canvas.getContext("2d")!;
          context.drawImage(image, 0, 0);
          const at = (x: number, y: number) => context.getImageData(x, y, 1, 1).data[0];
          return { side: image.naturalWidth, middle: at(160, 160), top: at(160, 30), corner: at(3, 3) };
        });
      expect(seen).toEqual({ side: 320, middle: 255, top: 255, corner: 0 });
    }));

  it("can be taken back, and turned to black on white, which is asked again", () =>
    onPage("/#/shapes/try", async (page) => {
      await draw(page, [0.5, 0.2], [0.5, 0.8]);
      await answered(page);
      const again = page.waitForRequest((request) => request.url().endsWith("/predict"));
      await page.getByRole("button", { name: "White paper" }).click();
      await again;
      await answered(page);
      const corner = await page.locator(".paper canvas").evaluate((canvas: HTMLCanvasElement) => {
        return canvas.getContext("2d")?.getImageData(2, 2, 1, 1).data[0];
      });
      expect(corner).toBe(255);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("Draw here").waitFor();
    }));

  it("works with the keyboard alone", () =>
    onPage("/#/shapes/try", async (page) => {
      await page.getByRole("application").waitFor();
      await tabTo(page, '[role="application"]');
      await page.getByText("Arrow keys move the pen").waitFor();
      for (let step = 0; step < 6; step++) await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Space");
      for (let step = 0; step < 14; step++) await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Space");
      expect(await chosen(page)).toBe("lying");
      await page.keyboard.press("Delete");
      await page.getByText("Draw here").waitFor();
    }));
});

describe("a picture", () => {
  it("is chosen from a file and shown with what was found, and how long it took", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByLabel("Choose a picture").setInputFiles(sample("red.png"));
      expect(await chosen(page)).toBe("red");
      await answer(page).getByText("red.png · 90 × 40 pixels").waitFor();
      expect(await answer(page).locator("figcaption").textContent()).toMatch(/^red \d/);
      expect(await answer(page).getByText("from here to the server and back").textContent()).toMatch(/^[\d.]+\sm?s/);
      await answer(page).getByTitle("The app sees the centre").waitFor();
    }));

  it("is dropped anywhere on the page", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByText("Choose a picture").waitFor();
      await page.evaluate(() => window.dispatchEvent(new DragEvent("dragover", { cancelable: true })));
      await page.getByText("Drop a picture anywhere").waitFor();
      await handOver(page, "drop", ["blue.png"]);
      expect(await chosen(page)).toBe("blue");
      await expect.poll(() => page.getByText("Drop a picture anywhere").count()).toBe(0);
    }));

  it("is pasted", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByText("Choose a picture").waitFor();
      await handOver(page, "paste", ["red.png"]);
      expect(await chosen(page)).toBe("red");
    }));

  it("stays in the history, where a click shows it again, until all is forgotten", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByText("Choose a picture").waitFor();
      await handOver(page, "drop", ["red.png", "blue.png"]);
      await history(page).getByText("blue").waitFor();
      await history(page).getByText("red").click();
      expect(await chosen(page)).toBe("red");
      await history(page).getByText("blue").click();
      expect(await chosen(page)).toBe("blue");
      await page.getByRole("link", { name: "shapes" }).click();
      await page.getByRole("link", { name: "colours" }).click();
      await expect.poll(() => history(page).getByRole("listitem").count()).toBe(2);
      await page.getByRole("button", { name: "Forget all" }).click();
      await page.getByText("Nothing was asked yet").waitFor();
    }));

  it("that cannot be read is told what is wrong, the rule, and what came", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByLabel("Choose a picture").setInputFiles(sample("broken.png"));
      const problem = answer(page).getByRole("alert");
      await problem.getByText("The image cannot be decoded.", { exact: true }).waitFor();
      await problem.getByText("It must be a whole JPEG").waitFor();
      await problem.getByText("18 bytes that begin with").waitFor();
      await problem.getByText("(422)").waitFor();
      await history(page).getByText("No answer").waitFor();
    }));

  it("can be asked about from a command line as well", () =>
    onPage("/#/colours/try", async (page) => {
      await page.getByLabel("Choose a picture").setInputFiles(sample("red.png"));
      await answered(page);
      await page.getByText("The same from a command line").click();
      expect(await answer(page).locator("details[open] pre").textContent()).toContain("--data-binary '@red.png'");
      await page.getByText("The answer as the server gave it").click();
      await answer(page).getByText('"label": "red"').waitFor();
    }));
});

it("is drawn in colour for an app that sees colours", () =>
  onPage("/#/colours/try", async (page) => {
    await page.getByRole("radio", { name: "Draw" }).click();
    await page.getByLabel("Ink").fill("#0000ff");
    await page.getByRole("button", { name: "Black paper" }).click();
    await draw(page, [0.3, 0.5], [0.7, 0.5]);
    expect(await chosen(page)).toBe("blue");
  }));
