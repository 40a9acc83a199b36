/** What was asked of each app during this visit, newest first, with what came back. Nothing of it is stored. */

import { useSyncExternalStore } from "react";
import { type Answered, Problem, predict } from "../api/client";

const KEPT = 12;

export type Input = { kind: "image" | "audio"; body: Blob; name: string; url: string } | { kind: "text"; body: string };

export interface Entry {
  id: number;
  input: Input;
  /** Whether an answer is on its way; until it comes, the last one to the same drawing stands. */
  waiting: boolean;
  answered?: Answered;
  problem?: Problem;
}

interface Visit {
  entries: Entry[];
  chosen: number | null;
}

const EMPTY: Visit = { entries: [], chosen: null };
const visits = new Map<string, Visit>();
const listeners = new Set<() => void>();
let numbers = 0;

function set(app: string, visit: Visit): void {
  visits.set(app, visit);
  for (const listener of listeners) listener();
}

function of(app: string): Visit {
  return visits.get(app) ?? EMPTY;
}

/** Put in what came back, unless the input has changed or gone since. */
function settle(app: string, asked: Entry, back: Pick<Entry, "answered" | "problem">): void {
  const visit = of(app);
  const settled = { id: asked.id, input: asked.input, waiting: false, ...back };
  const entries = visit.entries.map((entry) => (entry.input === asked.input ? settled : entry));
  set(app, { ...visit, entries });
}

function release(input: Input): void {
  if (input.kind !== "text") URL.revokeObjectURL(input.url);
}

/** Put an entry first; one that was there under its number goes. */
function put(app: string, entry: Entry): void {
  const { entries } = of(app);
  const others = entries.filter(({ id }) => id !== entry.id);
  const kept = [entry, ...others.slice(0, KEPT - 1)];
  for (const { id, input } of entries) {
    if (id === entry.id || !kept.some((each) => each.id === id)) release(input);
  }
  set(app, { entries: kept, chosen: entry.id });
}

function typeOf(input: Input): string {
  if (input.kind === "text") return "text/plain; charset=utf-8";
  return input.body.type.startsWith(`${input.kind}/`) ? input.body.type : "application/octet-stream";
}

export const session = {
  /** Ask `app` about `input`, as entry `id` where it is the same drawing, grown; the entry's number. */
  ask(app: string, input: Input, id?: number): number {
    const { answered } = of(app).entries.find((each) => each.id === id) ?? {};
    const entry: Entry = { id: id ?? ++numbers, input, waiting: true, ...(answered ? { answered } : {}) };
    put(app, entry);
    predict(app, input.body, typeOf(input)).then(
      (found) => settle(app, entry, { answered: found }),
      (error: unknown) =>
        settle(app, entry, { problem: error instanceof Problem ? error : Problem.local(String(error)) }),
    );
    return entry.id;
  },
  choose: (app: string, id: number): void => set(app, { ...of(app), chosen: id }),
  clear(app: string): void {
    for (const { input } of of(app).entries) release(input);
    set(app, EMPTY);
  },
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useVisit(app: string): { entries: Entry[]; chosen: Entry | undefined } {
  const visit = useSyncExternalStore(subscribe, () => of(app));
  return { entries: visit.entries, chosen: visit.entries.find(({ id }) => id === visit.chosen) };
}
