/** Where the reader is: `#/app/tab`, so that every place has an address and the browser's way back works. */

import { useSyncExternalStore } from "react";

export const TABS = ["try", "contract", "card", "traffic"] as const;
export type Tab = (typeof TABS)[number];

export interface Route {
  app: string | null;
  tab: Tab;
}

export function parseHash(hash: string): Route {
  const [, app = "", tab = ""] = hash.replace(/^#/, "").split("/");
  return { app: app ? decoded(app) : null, tab: TABS.find((known) => known === tab) ?? "try" };
}

export function hashOf(app: string, tab: Tab): string {
  return `#/${encodeURIComponent(app)}/${tab}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
  return parseHash(useSyncExternalStore(subscribe, () => window.location.hash));
}
