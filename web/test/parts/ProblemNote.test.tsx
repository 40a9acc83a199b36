// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import "../cleanup";
import { Problem } from "../../src/api/client";
import { ProblemNote } from "../../src/parts/ProblemNote";

it("tells each part once", () => {
  const detail = "The image cannot be decoded. It must be whole. Received: 3 bytes. Send it again.";
  const body = {
    title: "Unprocessable",
    rule: "It must be whole",
    received: "3 bytes",
    remedy: "Send it again",
    detail,
  };
  render(<ProblemNote error={new Problem(422, body)} />);
  const note = screen.getByRole("alert");
  expect(note.querySelector("p")?.textContent).toBe("The image cannot be decoded.");
  expect(screen.getByText("It must be whole")).toBeDefined();
  expect(screen.getByText("3 bytes")).toBeDefined();
  expect(screen.getByText("Send it again")).toBeDefined();
  expect(screen.getByText("Unprocessable (422)")).toBeDefined();
});

it("offers to try again where that may help", async () => {
  const again = vi.fn();
  render(<ProblemNote error={Problem.local("The server does not answer")} again={again} />);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(again).toHaveBeenCalledOnce();
});
