import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Search } from "../api/types";
import { byMetric, bySize, clock } from "../lib/pareto";
import { megabytes, metric, milliseconds, percent } from "../lib/words";
import { Choice } from "../parts/Choice";
import { Pareto } from "./Pareto";

const VIEWS = [
  { value: "metric", name: "Score and time" },
  { value: "size", name: "Size and time" },
] as const;

/** What the search tried: a picture of all plans, and the same as a table. */
export function Tried({ search }: { search: Search }) {
  const [view, setView] = useState<"metric" | "size">("metric");
  return (
    <section className="card" aria-labelledby="tried-title">
      <div className="row">
        <h2 id="tried-title">What was tried</h2>
        <Choice name="What the picture compares" options={VIEWS} value={view} onChange={setView} />
      </div>
      <p className="soft below">
        {search.trials.length === 1 ? "One plan" : `${search.trials.length} plans`}, measured on the machine that made
        the app and on {search.records} validation records. Shipped: {search.shipped}.
      </p>
      {view === "metric" ? (
        <Pareto
          search={search}
          picture={byMetric(search)}
          axes={{ x: "time of the model alone (ms)", y: metric(search.metric) }}
          form={percent}
          up={!search.lower_is_better}
        />
      ) : (
        <Pareto
          search={search}
          picture={bySize(search)}
          axes={{ x: clock(search), y: "size" }}
          form={megabytes}
          up={false}
          log
        />
      )}
      <details className="more-about">
        <summary>
          <ChevronRight aria-hidden="true" /> All plans as a table
        </summary>
        <Table search={search} />
      </details>
    </section>
  );
}

function Table({ search }: { search: Search }) {
  const trials = search.trials.toSorted((one, other) => one.model_ms - other.model_ms);
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Plan</th>
            <th className="n">{metric(search.metric)}</th>
            <th className="n">Model alone</th>
            <th className="n">Input to answer, p95</th>
            <th className="n">Size</th>
            <th>Contract</th>
          </tr>
        </thead>
        <tbody>
          {trials.map((trial) => (
            <tr key={trial.plan} data-chosen={trial.plan === search.shipped}>
              <th scope="row">{trial.plan}</th>
              <td className="n">{percent(trial.metric)}</td>
              <td className="n">{milliseconds(trial.model_ms)}</td>
              <td className="n">{milliseconds(trial.p95_ms)}</td>
              <td className="n">{megabytes(trial.size_mb)}</td>
              <td>{trial.plan === search.shipped ? "shipped" : trial.kept ? "kept" : "not kept"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
