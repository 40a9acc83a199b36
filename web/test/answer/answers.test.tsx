// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import "../cleanup";
import { Entities } from "../../src/answer/Entities";
import { Scores } from "../../src/answer/Scores";
import { type Description, isEntities, isLabels } from "../../src/api/types";

const APP: Description = {
  name: "app",
  task: "image-classification",
  modality: "image",
  id: "1",
  classes: ["well", "ill"],
  inputs: [],
  outputs: [],
  transform: { name: "image", settings: {} },
  decode: {},
  contract: {},
  size_mb: 1,
  card: null,
};

describe("scores", () => {
  const labels = [
    { label: "ill", score: 0.4 },
    { label: "well", score: 0.6 },
  ];
  it("keep the server's order: an operating point may choose the less likely one", () => {
    render(<Scores labels={labels} app={{ ...APP, decode: { threshold: 0.3 } }} />);
    expect(screen.getAllByRole("listitem").map((item) => item.textContent?.slice(0, 3))).toEqual(["ill", "wel"]);
    expect(screen.getByText(/ill is chosen from 30.0/)).toBeDefined();
  });
  it("say nothing of an operating point where there is none", () => {
    render(<Scores labels={labels} app={APP} />);
    expect(screen.queryByText(/is chosen from/)).toBeNull();
  });
});

describe("an app that abstains", () => {
  const app = { ...APP, decode: { abstain: { label: "unknown", keep: 0.95, threshold: 0.4, score: "energy" } } };
  const classes = [
    { label: "ill", score: 0.03 },
    { label: "well", score: 0.01 },
  ];
  it("says before all that no class fits", () => {
    render(<Scores labels={[{ label: "unknown", score: 0.96 }, ...classes]} app={app} />);
    expect(screen.getByText("No class fits.")).toBeDefined();
    expect(screen.getByText(/less like what the app knows than 95.0/)).toBeDefined();
    expect(screen.getAllByRole("listitem").map((item) => item.textContent?.slice(0, 3))).toEqual(["unk", "ill", "wel"]);
  });
  it("shows its classes alone where one fits", () => {
    render(<Scores labels={[...classes, { label: "unknown", score: 0 }]} app={app} />);
    expect(screen.queryByText("No class fits.")).toBeNull();
    expect(screen.getAllByRole("listitem").map((item) => item.textContent?.slice(0, 3))).toEqual(["ill", "wel"]);
  });
});

describe("entities", () => {
  const found = [{ entity_group: "place", score: 0.9, word: "Köln", start: 3, end: 7 }];
  it("are marked in the text and listed below it", () => {
    render(<Entities text="In Köln" entities={found} kinds={["place"]} />);
    expect(screen.getByText("Köln", { selector: "mark" }).tagName).toBe("MARK");
    expect(screen.getByRole("cell", { name: "Köln" })).toBeDefined();
  });
  it("may be none", () => {
    render(<Entities text="Nowhere" entities={[]} kinds={["place"]} />);
    expect(screen.getByText("Nothing was found in this text.")).toBeDefined();
    expect(screen.getByText("Nowhere")).toBeDefined();
  });
});

it("kinds of answers are told apart", () => {
  expect(isLabels([{ label: "a", score: 1 }])).toBe(true);
  expect(isLabels([])).toBe(false);
  expect(isEntities([])).toBe(true);
  expect(isEntities([{ label: "a", score: 1 }])).toBe(false);
  expect(isEntities({ text: "said" })).toBe(false);
});
