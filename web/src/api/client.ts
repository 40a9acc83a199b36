/** Asking the server; whatever goes wrong is a Problem. */

import { keys } from "./key";
import type { Description, Summary } from "./types";

/** What the server tells of a problem (RFC 9457), in the four parts of Lepton's messages. */
export interface ProblemBody {
  status?: number;
  title?: string;
  detail?: string;
  rule?: string;
  received?: string;
  remedy?: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly body: ProblemBody;
  /** Seconds after which to try again, where the server says so. */
  readonly after: number | undefined;

  constructor(status: number, body: ProblemBody, after?: number) {
    super(body.detail || body.title || `The server answered ${status}`);
    this.status = status;
    this.body = body;
    this.after = after;
  }

  static local(detail: string, remedy?: string): Problem {
    return new Problem(0, { detail, ...(remedy ? { remedy } : {}) });
  }
}

export interface Answered {
  answer: unknown;
  /** Milliseconds from sending to the whole answer. */
  ms: number;
  /** The id of the app that answered. */
  id: string | null;
}

export async function apps(): Promise<Summary[]> {
  return ((await (await ask("/v1/apps")).json()) as { apps: Summary[] }).apps;
}

export async function describe(name: string): Promise<Description> {
  return (await (await ask(pathOf(name))).json()) as Description;
}

export async function metrics(): Promise<string> {
  return (await ask("/metrics")).text();
}

export async function predict(name: string, body: Blob | string, type: string): Promise<Answered> {
  const start = performance.now();
  const reply = await ask(`${pathOf(name)}/predict`, { method: "POST", headers: { "Content-Type": type }, body });
  const answer: unknown = await reply.json();
  return { answer, ms: performance.now() - start, id: reply.headers.get("X-Lepton-App") };
}

export function pathOf(name: string): string {
  return `/v1/apps/${encodeURIComponent(name)}`;
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const { key } = keys.get();
  const headers = new Headers(init.headers);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  const reply = await send(path, { ...init, headers });
  if (reply.ok) return reply;
  if (reply.status === 401) keys.refused(key);
  throw await problemOf(reply);
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw Problem.local("The server does not answer", "See whether it still runs, and whether this machine is online");
  }
}

async function problemOf(reply: Response): Promise<Problem> {
  const after = Number(reply.headers.get("Retry-After"));
  let body: ProblemBody;
  try {
    body = (await reply.json()) as ProblemBody;
  } catch {
    body = { title: reply.statusText }; // A proxy in between answers in words of its own.
  }
  return new Problem(reply.status, body, after > 0 ? after : undefined);
}
