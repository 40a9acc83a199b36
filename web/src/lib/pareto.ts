/** Which plans no other beats, and where the marks of a picture of them lie. */

import type { Search, Trial } from "../api/types";

/** Two costs of a trial, each better when it is less. */
type Costs = (trial: Trial) => [number, number];

/** The trials that no other beats in both costs, by the first one. */
export function unbeaten(trials: Trial[], costs: Costs): Trial[] {
  const found: Trial[] = [];
  let least = Number.POSITIVE_INFINITY;
  const inOrder = trials.toSorted((one, other) => {
    const [[a, b], [c, d]] = [costs(one), costs(other)];
    return a - c || b - d;
  });
  for (const trial of inOrder) {
    const [, second] = costs(trial);
    if (second < least) {
      found.push(trial);
      least = second;
    }
  }
  return found;
}

/** A limit that a picture shows: where it is, what it says, and on which side it is kept. */
export interface Limit {
  at: number;
  words: string;
}

export interface Mark {
  trial: Trial;
  x: number;
  y: number;
  /** The 95 % bound of what y may be, which counts. */
  bound?: number;
}

export interface Picture {
  marks: Mark[];
  front: Mark[];
  xLimit: Limit | null;
  yLimit: Limit | null;
  /** The y axis's ends; marks outside of them lie at the edge. */
  ends: [number, number];
}

const DEEP = 2.5;
/** The least part of a metric that is shown. */
const LEAST = 0.02;

export function limitOf(search: Search, name: string): number | null {
  const found = Object.entries(search.limits).find(([each]) => each.startsWith(name));
  return found ? found[1] : null;
}

function referenceOf(search: Search): Trial | undefined {
  return search.trials.find(({ plan }) => plan === search.reference);
}

/** The metric against the time of the model alone. */
export function byMetric(search: Search): Picture {
  const sign = search.lower_is_better ? 1 : -1;
  const reference = referenceOf(search);
  const place = (trial: Trial): Mark => {
    const at = { trial, x: trial.model_ms, y: trial.metric };
    return reference && trial.drop_bound ? { ...at, bound: reference.metric + sign * trial.drop_bound } : at;
  };
  const ratio = limitOf(search, "time");
  const worst = reference && reference.metric + sign * search.drop;
  return {
    marks: search.trials.map(place),
    front: unbeaten(search.trials, (trial) => [trial.model_ms, sign * trial.metric]).map(place),
    xLimit: reference && ratio !== null ? { at: ratio * reference.model_ms, words: "no slower than fp32" } : null,
    yLimit: worst === undefined ? null : { at: worst, words: "largest drop allowed" },
    ends: metricEnds(search, worst),
  };
}

/** The size against the time that the contract limits, else that of the model alone. */
export function bySize(search: Search): Picture {
  const asked = limitOf(search, "latency p95");
  const time = (trial: Trial) => (asked === null ? trial.model_ms : trial.p95_ms);
  const place = (trial: Trial): Mark => ({ trial, x: time(trial), y: trial.size_mb });
  const most = limitOf(search, "size");
  const sizes = [...search.trials.map(({ size_mb }) => size_mb), ...(most === null ? [] : [most])];
  return {
    marks: search.trials.map(place),
    front: unbeaten(search.trials, (trial) => [time(trial), trial.size_mb]).map(place),
    xLimit: asked === null ? null : { at: asked, words: "latency asked" },
    yLimit: most === null ? null : { at: most, words: "size asked" },
    ends: [Math.min(...sizes), Math.max(...sizes)],
  };
}

/** What the time of `bySize` is called. */
export function clock(search: Search): string {
  return limitOf(search, "latency p95") === null ? "time of the model alone (ms)" : "input to answer, p95 (ms)";
}

/** The part of the metric that matters: down to the limit, and to what lies within a few times the drop allowed. */
function metricEnds(search: Search, worst: number | undefined): [number, number] {
  const values = search.trials.map(({ metric }) => metric);
  const best = search.lower_is_better ? Math.min(...values) : Math.max(...values);
  const deep = Math.max(DEEP * search.drop, LEAST);
  const ends = [...values.filter((value) => Math.abs(value - best) <= deep), ...(worst === undefined ? [] : [worst])];
  return [Math.min(...ends), Math.max(...ends)];
}
