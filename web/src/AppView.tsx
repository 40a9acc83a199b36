import * as Tabs from "@radix-ui/react-tabs";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { describe } from "./api/client";
import type { Description, Summary } from "./api/types";
import { hashOf, TABS, type Tab } from "./lib/route";
import { count, megabytes } from "./lib/words";
import { Kept } from "./parts/Kept";
import { ProblemNote } from "./parts/ProblemNote";
import { Contract } from "./tabs/Contract";
import { Try } from "./tabs/Try";

const Card = lazy(() => import("./tabs/Card"));
const Traffic = lazy(() => import("./tabs/Traffic"));

const NAMES: Record<Tab, string> = { try: "Try it", contract: "Contract", card: "Card", traffic: "Traffic" };

/** One app under its tabs. */
export function AppView({ summary, tab }: { summary: Summary; tab: Tab }) {
  const { name, id } = summary;
  const found = useQuery({ queryKey: ["app", name, id], queryFn: () => describe(name) });
  useEffect(() => {
    document.title = `${name} · Lepton`;
  }, [name]);

  const go = (next: string) => {
    window.location.hash = hashOf(name, next as Tab);
  };
  return (
    <Tabs.Root value={tab} onValueChange={go}>
      <Head summary={summary} app={found.data} />
      <Tabs.List className="tabs" aria-label={`About ${name}`}>
        {TABS.map((each) => (
          <Tabs.Trigger key={each} value={each} className="tab">
            {NAMES[each]}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {found.error && <ProblemNote error={found.error} again={() => void found.refetch()} />}
      {found.data && <Panels app={found.data} />}
    </Tabs.Root>
  );
}

function Head({ summary, app }: { summary: Summary; app: Description | undefined }) {
  const facts = [
    summary.task.replaceAll("-", " "),
    ...(app ? [megabytes(app.size_mb)] : []),
    ...(app?.classes.length ? [`${count(app.classes.length)} classes`] : []),
  ];
  const about = app && aboutOf(app.card);
  return (
    <header className="head">
      <div className="head-line">
        <h1>{summary.name}</h1>
        {app?.contract.measured?.clauses && <Kept clauses={app.contract.measured.clauses} />}
      </div>
      {about && <p className="about">{about}</p>}
      <p className="soft facts">{facts.join(" · ")}</p>
    </header>
  );
}

/** The card's first paragraph, which says what the app is for. */
function aboutOf(card: string | null): string | undefined {
  const paragraph = card?.split(/\n\s*\n/)[1]?.trim();
  return paragraph && /^[^#|\-*>]/.test(paragraph) ? paragraph : undefined;
}

function Panels({ app }: { app: Description }) {
  return (
    <Suspense fallback={<p className="soft wait">Loading…</p>}>
      <Tabs.Content value="try" tabIndex={-1}>
        <Try app={app} />
      </Tabs.Content>
      <Tabs.Content value="contract">
        <Contract app={app} />
      </Tabs.Content>
      <Tabs.Content value="card">
        <Card app={app} />
      </Tabs.Content>
      <Tabs.Content value="traffic">
        <Traffic app={app} />
      </Tabs.Content>
    </Suspense>
  );
}
