import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { AppView } from "./AppView";
import { apps } from "./api/client";
import { keys } from "./api/key";
import { useRoute } from "./lib/route";
import { KeyDialog } from "./parts/KeyDialog";
import { ProblemNote } from "./parts/ProblemNote";
import { Side } from "./parts/Side";

/** All of the page: which apps there are, the chosen one, and the dialog that asks for a key. */
export function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const found = useQuery({ queryKey: ["apps"], queryFn: apps, refetchInterval: 30_000 });
  useKeyRenews();
  const list = found.data ?? [];
  const chosen = route.app === null ? list[0] : list.find(({ name }) => name === route.app);

  return (
    <div className="shell">
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to the app
      </button>
      <Side apps={list} chosen={chosen?.name ?? null} tab={route.tab} />
      <main ref={main} tabIndex={-1}>
        {found.error && <ProblemNote error={found.error} again={() => void found.refetch()} />}
        {found.isPending && <p className="soft wait">Asking what is served…</p>}
        {found.data && !chosen && <NotServed name={route.app} />}
        {chosen && <AppView key={chosen.name} summary={chosen} tab={route.tab} />}
      </main>
      <KeyDialog />
    </div>
  );
}

function NotServed({ name }: { name: string | null }) {
  return (
    <div className="card empty">
      <h1>{name ? `No app is called ${name}` : "Nothing is served"}</h1>
      <p className="soft">{name ? "Choose one of those that are served." : "Start it with: lepton serve APP"}</p>
    </div>
  );
}

/** Ask everything again when a key was given or forgotten. */
function useKeyRenews(): void {
  const client = useQueryClient();
  const { key } = useSyncExternalStore(keys.subscribe, keys.get);
  const last = useRef(key);
  useEffect(() => {
    if (last.current !== key) void client.resetQueries();
    last.current = key;
  }, [key, client]);
}
