/** A text cut into what was found in it and what lies between. */

import type { Entity } from "../api/types";

export interface Piece {
  text: string;
  /** Where the piece begins, in code points. */
  start: number;
  entity?: Entity;
}

/** The pieces of `text` in their order. Entities that begin inside another one are left out. */
export function pieces(text: string, entities: Entity[]): Piece[] {
  const points = Array.from(text); // Python counts code points; JavaScript's own indices count UTF-16 units.
  const found: Piece[] = [];
  let at = 0;
  for (const entity of entities.toSorted((one, other) => one.start - other.start)) {
    if (entity.start < at) continue;
    if (entity.start > at) found.push({ text: points.slice(at, entity.start).join(""), start: at });
    found.push({ text: points.slice(entity.start, entity.end).join(""), start: entity.start, entity });
    at = entity.end;
  }
  if (at < points.length) found.push({ text: points.slice(at).join(""), start: at });
  return found;
}
