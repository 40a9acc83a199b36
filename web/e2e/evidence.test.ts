import { describe, expect, it } from "vitest";
import { desk, onPage, tabTo, withBrowser } from "./browser";

withBrowser();

describe("the contract", () => {
  it("is told clause by clause", () =>
    onPage("/#/shapes/contract", async (page) => {
      await page.getByText("Contract kept").waitFor();
      const clauses = page.getByRole("region", { name: "The contract" }).getByRole("listitem");
      await expect.poll(() => clauses.count()).toBe(3);
      expect(await clauses.first().textContent()).toMatch(
        /^drop \(95 % bound\)1.00 points asked ≤ 2.00 points50 % of it used kept$/,
      );
    }));

  it("stands beside the figures on the test set, with their intervals and baselines", () =>
    onPage("/#/shapes/contract", async (page) => {
      const test = page.getByRole("region", { name: "On the test set" });
      await test.getByText("359 records").waitFor();
      await test.getByRole("img", { name: /^98.0\s%, between 95.0\s% and 99.0\s%$/ }).waitFor();
      await test.getByText("majority class").waitFor();
    }));

  it("may be missing", () =>
    onPage("/#/colours/contract", async (page) => {
      await page.getByText("This app was made without a contract.").waitFor();
      await page.getByText("This app carries no figures").waitFor();
    }));
});

describe("the Pareto picture", () => {
  it("has a dot for each plan, which tells its figures when it is pointed at", () =>
    onPage("/#/shapes/contract", async (page) => {
      const tried = page.getByRole("region", { name: "What was tried" });
      await expect.poll(() => tried.locator("circle").count()).toBe(desk.trials);
      await tried.getByRole("status").getByText("student cnn").waitFor();
      await tried.getByRole("img", { name: /^pruned:/ }).hover();
      expect(await tried.getByRole("status").textContent()).toMatch(/^pruned: 91.0\s% accuracy.*does not keep/);
    }));

  it("is gone through with the arrow keys", () =>
    onPage("/#/shapes/contract", async (page) => {
      const status = page.getByRole("region", { name: "What was tried" }).getByRole("status");
      await status.waitFor();
      await tabTo(page, "circle");
      await status.getByText("student cnn").waitFor();
      await page.keyboard.press("ArrowRight");
      await status.getByText("pruned").waitFor();
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      await status.getByText("fp32 ONNX").waitFor();
    }));

  it("shows sizes too, and all of it as a table", () =>
    onPage("/#/shapes/contract", async (page) => {
      const tried = page.getByRole("region", { name: "What was tried" });
      await tried.getByRole("radio", { name: "Size and time" }).click();
      await tried.getByText("input to answer, p95 (ms)").waitFor();
      await tried.getByText("size asked").waitFor();
      await tried.getByText("All plans as a table").click();
      await expect.poll(() => tried.getByRole("row").count()).toBe(desk.trials + 1);
      await tried.getByRole("row", { name: /student cnn .* shipped/ }).waitFor();
    }));
});

it("the card is shown as it was written, and what goes in and out", () =>
  onPage("/#/shapes/card", async (page) => {
    await page.getByRole("heading", { name: "Figures" }).waitFor();
    await page.getByRole("cell", { name: "0.98 [0.95, 0.99]" }).waitFor();
    await page.getByText("image: uint8 (any, 1, 8, 8)").waitFor();
    await page.getByText("size 8, channels 1").waitFor();
  }));

describe("traffic", () => {
  it("is counted and drawn while it comes", () =>
    onPage("/#/shapes/traffic", async (page) => {
      await page.getByText("requests since the start").waitFor();
      const tile = page.locator(".tiles li", { hasText: "requests since the start" }).locator("b");
      const number = async () => Number((await tile.textContent())?.replaceAll(",", ""));
      const before = await number();
      await page.evaluate(async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
        const body = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
        const ask = () =>
          fetch("/v1/apps/shapes/predict", { method: "POST", headers: { "Content-Type": "image/png" }, body });
        for (let count = 0; count < 20; count++) await ask();
      });
      await expect.poll(number).toBe(before + 20);
      for (const name of ["Requests a second", "Time to answer", "Inputs that ran together", "Requests that wait"]) {
        const chart = page.getByRole("img", { name: `${name} over the last 120 seconds` });
        await expect.poll(() => chart.locator("canvas").count()).toBe(1);
      }
      await expect.poll(() => page.locator("[data-colour]", { hasText: "median" }).textContent()).toMatch(/[\d.]+\sms/);
      await page.getByRole("region", { name: "Answers by class" }).getByText("lying").waitFor();
    }));

  it("is all there is to lose when the server is gone, which is told", () =>
    onPage("/#/shapes/traffic", async (page) => {
      await page.getByText("Server answers").waitFor();
      await page.route("**/metrics", (route) => route.abort());
      await page.getByRole("alert").getByText("The server does not answer").waitFor();
      await page.unroute("**/metrics");
      await page.getByText("Server answers").waitFor();
    }));
});
