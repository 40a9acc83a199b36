/** What the server's counts say of its traffic: readings in turn, and the rates and times between them. */

import type { Line } from "./prometheus";

/** Observations up to each bound, as Prometheus counts them: [bound, how many were at most that]. */
export type Buckets = [number, number][];

/** An app's counts since the server started. */
export interface Counts {
  answered: number;
  refused: number;
  seconds: Buckets;
  batches: number;
  inputs: number;
  waiting: number;
  labels: Record<string, number>;
}

export interface Reading {
  /** Seconds since the epoch. */
  time: number;
  apps: Record<string, Counts>;
}

/** What happened between two readings; times in ms, null where nothing was answered. */
export interface Moment {
  time: number;
  answered: number;
  refused: number;
  p50: number | null;
  p95: number | null;
  batch: number | null;
  waiting: number;
}

const NOTHING: Counts = { answered: 0, refused: 0, seconds: [], batches: 0, inputs: 0, waiting: 0, labels: {} };

/** How a line of each metric enters an app's counts. */
const TAKEN: Record<string, (counts: Counts, line: Line) => void> = {
  lepton_requests_total: (counts, { labels, value }) => {
    if (labels.status?.startsWith("2")) counts.answered += value;
    else counts.refused += value;
  },
  lepton_request_seconds_bucket: (counts, { labels, value }) => {
    counts.seconds.push([labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le), value]);
  },
  lepton_batch_size_count: (counts, { value }) => {
    counts.batches = value;
  },
  lepton_batch_size_sum: (counts, { value }) => {
    counts.inputs = value;
  },
  lepton_queue_length: (counts, { value }) => {
    counts.waiting = value;
  },
  lepton_answers_total: (counts, { labels, value }) => {
    counts.labels[labels.label ?? ""] = value;
  },
};

export function reading(lines: Line[], time: number): Reading {
  const apps: Record<string, Counts> = {};
  for (const line of lines) {
    const take = TAKEN[line.name];
    const app = line.labels.app;
    if (!take || app === undefined) continue;
    apps[app] ??= { ...NOTHING, seconds: [], labels: {} };
    take(apps[app], line);
  }
  for (const counts of Object.values(apps)) counts.seconds.sort(([one], [other]) => one - other);
  return { time, apps };
}

/** An app's counts in a reading; nothing where it was not asked yet. */
export function of(reading: Reading | undefined, app: string): Counts {
  return reading?.apps[app] ?? NOTHING;
}

/** How much a counter grew; one that fell began again, with the server. */
function grown(before: number, after: number): number {
  return after >= before ? after - before : after;
}

export function between(before: Buckets, after: Buckets): Buckets {
  const known = new Map(before);
  const restarted = after.some(([bound, value]) => value < (known.get(bound) ?? 0));
  return after.map(([bound, value]) => [bound, restarted ? value : value - (known.get(bound) ?? 0)]);
}

/** The value below which a share `q` of the observations lies, in a straight line inside its bucket; null for none. */
export function quantile(q: number, buckets: Buckets): number | null {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const at = buckets.findIndex(([, value]) => value >= rank);
  const [bound, value] = buckets[at]!;
  const [low, below] = at > 0 ? buckets[at - 1]! : [0, 0];
  if (!Number.isFinite(bound)) return low; // All that is known is that it took longer than the last bound.
  return value === below ? bound : low + ((bound - low) * (rank - below)) / (value - below);
}

/** Milliseconds that a share `q` of requests took at most. */
export function percentile(q: number, buckets: Buckets): number | null {
  const found = quantile(q, buckets);
  return found === null ? null : 1000 * found;
}

/** The moments of an app between readings; times and batches are those of the last `span` seconds. */
export function moments(readings: Reading[], app: string, span = 5): Moment[] {
  return readings.slice(1).map((reading, index) => {
    const last = readings[index]!;
    const since = readings.find(({ time }) => time >= reading.time - span - 0.5) ?? last;
    return moment({ reading, last, since: since === reading ? last : since }, app);
  });
}

function moment(at: { reading: Reading; last: Reading; since: Reading }, app: string): Moment {
  const [now, last, since] = [of(at.reading, app), of(at.last, app), of(at.since, app)];
  const passed = at.reading.time - at.last.time;
  const buckets = between(since.seconds, now.seconds);
  const batches = grown(since.batches, now.batches);
  return {
    time: at.reading.time,
    answered: grown(last.answered, now.answered) / passed,
    refused: grown(last.refused, now.refused) / passed,
    p50: percentile(0.5, buckets),
    p95: percentile(0.95, buckets),
    batch: batches ? grown(since.inputs, now.inputs) / batches : null,
    waiting: now.waiting,
  };
}
