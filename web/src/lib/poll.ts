/** Reads the server's counts once a second while somebody looks, and keeps the last minutes of them. */

import { metrics, Problem } from "../api/client";
import { keys } from "../api/key";
import { parse } from "./prometheus";
import { type Reading, reading } from "./traffic";

const PACE = 1000;
const SLOWEST = 30_000;
/** Seconds that are kept, and shown. */
export const KEPT = 120;

export interface Pulse {
  readings: Reading[];
  /** Why the last reading failed. */
  problem: Problem | null;
}

let pulse: Pulse = { readings: [], problem: null };
let running = false;
const listeners = new Set<() => void>();

export const pulses = {
  get: (): Pulse => pulse,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    if (!running) void run();
    return () => listeners.delete(listener);
  },
};

/** Goes on while anybody listens; a page in the background, or one that waits for a key, asks nothing. */
async function run(): Promise<void> {
  running = true;
  let pause = PACE;
  while (listeners.size) {
    if (!document.hidden && !keys.get().wanted) pause = await look(pause);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  running = false;
}

/** Take a reading; how long to wait for the next. */
async function look(pause: number): Promise<number> {
  try {
    take(reading(parse(await metrics()), Date.now() / 1000));
    return PACE;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell({ ...pulse, problem: error });
    return error.after ? 1000 * error.after : Math.min(SLOWEST, error.status === 401 ? PACE : 2 * pause);
  }
}

function take(found: Reading): void {
  const kept = pulse.readings.filter(({ time }) => time > found.time - KEPT - 10);
  tell({ readings: [...kept, found], problem: null });
}

function tell(next: Pulse): void {
  pulse = next;
  for (const listener of listeners) listener();
}
