import type { Score } from "../api/types";
import { percent } from "../lib/words";

/** A share as a dot between 0 and 1, with its interval as a whisker. */
export function Interval({ score: { value, low, high } }: { score: Score }) {
  const at = (share: number) => `${100 * Math.min(1, Math.max(0, share))}%`;
  const known = typeof low === "number" && typeof high === "number";
  const words = known ? `${percent(value)}, between ${percent(low)} and ${percent(high)}` : percent(value);
  return (
    <svg className="interval" role="img" aria-label={words}>
      <line className="track" x1="0" x2="100%" y1="50%" y2="50%" />
      {known && <line className="whisker" x1={at(low)} x2={at(high)} y1="50%" y2="50%" />}
      <circle cx={at(value)} cy="50%" r="4.5" />
    </svg>
  );
}
