import { CircleCheck, CircleX } from "lucide-react";
import type { Clause, Description, Figures, Score } from "../api/types";
import { count, metric, percent, clause as told } from "../lib/words";
import { Interval } from "../parts/Interval";
import { Tried } from "./Tried";

/** What was asked and how it was kept, the figures on the test set, and what the search tried. */
export function Contract({ app }: { app: Description }) {
  const clauses = app.contract.measured?.clauses ?? [];
  const { figures } = app;
  return (
    <div className="stack">
      <section className="card" aria-labelledby="contract-title">
        <h2 id="contract-title">The contract</h2>
        {clauses.length ? <Clauses clauses={clauses} /> : <p className="soft">This app was made without a contract.</p>}
      </section>
      {figures ? (
        <>
          <Tested test={figures.test} first={figures.search.metric} />
          <Tried search={figures.search} />
        </>
      ) : (
        <p className="soft">This app carries no figures; its card may tell some.</p>
      )}
    </div>
  );
}

function Clauses({ clauses }: { clauses: Clause[] }) {
  return (
    <ul className="clauses">
      {clauses.map((clause) => (
        <ClauseRow key={clause.name} clause={clause} />
      ))}
    </ul>
  );
}

function ClauseRow({ clause }: { clause: Clause }) {
  const { name, asked, measured, least } = told(clause);
  const Icon = clause.kept ? CircleCheck : CircleX;
  return (
    <li>
      <p className="clause-name">
        {name}
        {clause.note && clause.note !== "the contract" && <small className="soft">{clause.note}</small>}
      </p>
      <p className="clause-figures number">
        <strong>{measured}</strong> <span className="soft">asked {asked}</span>
      </p>
      {!least && <Used share={clause.measured / clause.asked} kept={clause.kept} />}
      <span className={`chip ${clause.kept ? "good" : "bad"}`}>
        <Icon aria-hidden="true" /> {clause.kept ? "kept" : "not kept"}
      </span>
    </li>
  );
}

/** How much of what was allowed is used. */
function Used({ share, kept }: { share: number; kept: boolean }) {
  return (
    <span className="used">
      <span className="bar" data-kept={kept} aria-hidden="true">
        <span style={{ width: `${100 * Math.min(1, Math.max(0, share))}%` }} />
      </span>
      <small className="soft number">{Math.round(100 * share)} % of it used</small>
    </span>
  );
}

function Tested({ test, first }: { test: Figures["test"]; first: string }) {
  const names = Object.keys(test.metrics).toSorted((one, other) => Number(other === first) - Number(one === first));
  const rows = [{ name: "this app", metrics: test.metrics }, ...test.baselines];
  return (
    <section className="card" aria-labelledby="test-title">
      <h2 id="test-title">On the test set</h2>
      <p className="soft">{count(test.n)} records that were looked at once; whiskers are 95 % intervals.</p>
      <div className="figures">
        {names.map((name) => (
          <div key={name}>
            <h3>
              {metric(name)} {test.lower_is_better.includes(name) && <small className="soft">less is better</small>}
            </h3>
            <dl className="figure-rows">
              {rows.map((row, index) => {
                const score = row.metrics[name];
                return (
                  score && (
                    <div key={row.name} data-own={index === 0}>
                      <dt>{row.name}</dt>
                      <dd>
                        <Interval score={score} />
                        <span className="number">
                          {percent(score.value)}
                          <small className="soft">{range(score)}</small>
                        </span>
                      </dd>
                    </div>
                  )
                );
              })}
            </dl>
          </div>
        ))}
      </div>
    </section>
  );
}

function range({ low, high }: Score): string {
  return typeof low === "number" && typeof high === "number" ? `${percent(low)} to ${percent(high)}` : "";
}
