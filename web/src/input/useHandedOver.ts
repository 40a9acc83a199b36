import { useEffect, useState } from "react";
import { Problem } from "../api/client";
import type { Description } from "../api/types";
import { askFiles, filesOf } from "../lib/media";
import { session } from "../lib/session";

type Told = (problem: Problem | null) => void;

/** Takes what is dropped on the page or pasted into it; whether something is being dragged over it. */
export function useHandedOver(app: Description, tell: Told): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const take = (data: DataTransfer | null) => {
      tell(null);
      attempt(() => data && askFiles(app, filesOf(data, app)), tell);
    };
    const stop = new AbortController();
    const on = <K extends keyof WindowEventMap>(name: K, then: (event: WindowEventMap[K]) => void) =>
      window.addEventListener(name, then, { signal: stop.signal });

    on("dragover", (event) => {
      event.preventDefault();
      setOver(true);
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) setOver(false); // The pointer left the page, not one of its parts.
    });
    on("drop", (event) => {
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer);
    });
    on("paste", (event) => paste(app, event, take));
    return () => stop.abort();
  }, [app, tell]);
  return over;
}

function paste(app: Description, event: ClipboardEvent, take: (data: DataTransfer) => void): void {
  const data = event.clipboardData;
  if (!data || isTyping(event.target)) return;
  if (data.files.length) {
    take(data);
    return;
  }
  const text = data.getData("text/plain");
  if (app.modality === "text" && text.trim()) session.ask(app.name, { kind: "text", body: text });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("textarea, input, [contenteditable]");
}

async function attempt(work: () => unknown, tell: Told): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(error);
  }
}
