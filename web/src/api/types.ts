/** What the server says of its apps, and the answers of its tasks. */

export type Modality = "image" | "audio" | "text";

export interface Summary {
  name: string;
  task: string;
  modality: Modality;
  id: string;
}

export interface Tensor {
  name: string;
  dtype: string;
  shape: (number | null)[];
}

export interface Clause {
  name: string;
  asked: number;
  measured: number;
  kept: boolean;
  note?: string;
}

export interface Score {
  value: number;
  low?: number | null;
  high?: number | null;
}

export type Metrics = Record<string, Score | undefined>;

/** One plan that the search measured; times in ms. */
export interface Trial {
  plan: string;
  metric: number;
  drop_bound: number;
  model_ms: number;
  p95_ms: number;
  size_mb: number;
  kept: boolean;
}

export interface Search {
  metric: string;
  lower_is_better: boolean;
  records: number;
  drop: number;
  limits: Record<string, number>;
  shipped: string;
  reference: string;
  trials: Trial[];
}

export interface Figures {
  test: { n: number; lower_is_better: string[]; metrics: Metrics; baselines: { name: string; metrics: Metrics }[] };
  search: Search;
}

/** When an app says that no class fits, and what stands in the place of one. */
export interface Abstain {
  label: string;
  keep: number;
}

export interface Decode {
  threshold?: number | null;
  abstain?: Abstain | null;
  [setting: string]: unknown;
}

export interface Description extends Summary {
  classes: string[];
  inputs: Tensor[];
  outputs: Tensor[];
  transform: { name: string; settings: Record<string, unknown> };
  decode: Decode;
  contract: { measured?: { plan?: string; clauses?: Clause[] } };
  size_mb: number;
  card: string | null;
  figures?: Figures | null;
}

export interface Labelled {
  label: string;
  score: number;
}

/** `start` and `end` count characters as Python does: by code points. */
export interface Entity {
  entity_group: string;
  score: number;
  word: string;
  start: number;
  end: number;
}

export function isLabels(answer: unknown): answer is Labelled[] {
  return Array.isArray(answer) && answer.length > 0 && answer.every((item) => "label" in item && "score" in item);
}

export function isEntities(answer: unknown): answer is Entity[] {
  return Array.isArray(answer) && answer.every((item) => "start" in item && "end" in item && "entity_group" in item);
}
