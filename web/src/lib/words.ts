/** Figures in a person's words, as the report has them. */

import type { Clause } from "../api/types";

/** Narrow spaces keep a number and its unit on one line. */
const NARROW = "\u202f";

/** A share as a percentage: one decimal, two near the ends, where the last errors count. */
export function percent(value: number): string {
  if (value > 0 && value < 0.00005) return `< 0.01${NARROW}%`;
  if (value > 0.99995 && value < 1) return `> 99.99${NARROW}%`;
  if (value === 0 || value === 1) return `${100 * value}${NARROW}%`;
  const nearAnEnd = (value > 0 && value < 0.005) || (value > 0.995 && value < 1);
  return `${(100 * value).toFixed(nearAnEnd ? 2 : 1)}${NARROW}%`;
}

export function milliseconds(value: number): string {
  return value < 1000 ? `${digits(value)}${NARROW}ms` : `${digits(value / 1000)}${NARROW}s`;
}

/** A size in MB (10^6 bytes), in kB below a tenth of one. */
export function megabytes(value: number): string {
  return value >= 0.1 ? `${digits(value)}${NARROW}MB` : `${digits(1000 * value)}${NARROW}kB`;
}

export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)}${NARROW}s`;
  return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}${NARROW}min`;
}

/** A difference of shares in percentage points. */
export function points(value: number): string {
  return `${(100 * value).toFixed(2)} points`;
}

/** A number with three digits that count. */
export function digits(value: number, count = 3): string {
  return Number(value.toPrecision(count)).toLocaleString("en", { maximumSignificantDigits: count });
}

export function count(value: number): string {
  return value.toLocaleString("en");
}

export function metric(name: string): string {
  return name.replaceAll("_", " ");
}

const UNITS: [string, (value: number) => string][] = [
  ["drop", points],
  ["metric", percent],
  ["latency", milliseconds],
  ["size", megabytes],
  ["time", (value) => `${digits(value)}×`],
];

/** A clause's figures in its unit; its metric is asked to be at least so much, everything else at most. */
export function clause(found: Clause): { name: string; asked: string; measured: string; least: boolean } {
  const unit = UNITS.find(([word]) => found.name.startsWith(word))?.[1] ?? ((value: number) => digits(value, 4));
  const least = found.name.startsWith("metric");
  const name = found.name.replace(/ \((ms|MB)\)$/, "");
  return { name, asked: `${least ? "≥" : "≤"} ${unit(found.asked)}`, measured: unit(found.measured), least };
}

/** A plan's name without the settings in brackets. */
export function shortPlan(name: string): string {
  return name.replace(/ \([^()]*\)/g, "");
}
