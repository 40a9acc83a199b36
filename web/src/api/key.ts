/** The API key of this visit: it lives in the session's storage, and its absence is told when the server asks. */

const PLACE = "lepton.key";

export interface KeyState {
  key: string | null;
  /** The server refused what was sent, so a key is asked for. */
  wanted: boolean;
}

let state: KeyState = { key: read(), wanted: false };
const listeners = new Set<() => void>();

function read(): string | null {
  try {
    return sessionStorage.getItem(PLACE);
  } catch {
    return null; // Storage can be forbidden; then a key lasts as long as the page.
  }
}

function set(next: KeyState): void {
  state = next;
  try {
    if (next.key === null) sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, next.key);
  } catch {
    // As above.
  }
  for (const listener of listeners) listener();
}

export const keys = {
  get: (): KeyState => state,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  give: (key: string): void => set({ key, wanted: false }),
  forget: (): void => set({ key: null, wanted: false }),
  /** The server refused `sent`; a key that was given in the meantime is not taken away. */
  refused(sent: string | null): void {
    if (sent === state.key && !state.wanted) set({ ...state, wanted: true });
  },
};
