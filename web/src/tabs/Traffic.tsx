import { useSyncExternalStore } from "react";
import type { Description } from "../api/types";
import { KEPT, pulses } from "../lib/poll";
import { between, type Counts, type Moment, moments, of, percentile } from "../lib/traffic";
import { count, digits, milliseconds, percent } from "../lib/words";
import { ProblemNote } from "../parts/ProblemNote";
import { Chart, type Series } from "./Chart";

/** The app's traffic as it is, read once a second. */
export default function Traffic({ app }: { app: Description }) {
  const { readings, problem } = useSyncExternalStore(pulses.subscribe, pulses.get);
  const found = moments(readings, app.name);
  const [first, now] = [of(readings[0], app.name), of(readings.at(-1), app.name)];
  return (
    <div className="stack">
      {problem && <ProblemNote error={problem} />}
      <Tiles now={now} first={first} last={found.at(-1)} />
      <div className="charts">
        {CHARTS.map(({ name, unit, series }) => (
          <section key={name} className="card" aria-label={name}>
            <h2>{name}</h2>
            <Chart
              name={name}
              times={found.map(({ time }) => time)}
              series={series.map(({ take, ...each }) => ({ ...each, values: found.map(take) }))}
              unit={unit}
              span={KEPT}
            />
          </section>
        ))}
      </div>
      <Answers labels={now.labels} />
    </div>
  );
}

interface Drawn extends Omit<Series, "values"> {
  take: (moment: Moment) => number | null;
}

const CHARTS: { name: string; unit: string; series: Drawn[] }[] = [
  {
    name: "Requests a second",
    unit: "/s",
    series: [
      { name: "answered", colour: "main", fill: true, take: ({ answered }) => answered },
      { name: "refused", colour: "bad", take: ({ refused }) => refused },
    ],
  },
  {
    name: "Time to answer",
    unit: "\u202fms",
    series: [
      { name: "median", colour: "main", take: ({ p50 }) => p50 },
      { name: "95th percentile", colour: "warn", take: ({ p95 }) => p95 },
    ],
  },
  {
    name: "Inputs that ran together",
    unit: "",
    series: [{ name: "mean batch", colour: "main", take: ({ batch }) => batch }],
  },
  {
    name: "Requests that wait",
    unit: "",
    series: [{ name: "queue", colour: "main", fill: true, take: ({ waiting }) => waiting }],
  },
];

function Tiles({ now, first, last }: { now: Counts; first: Counts; last: Moment | undefined }) {
  const all = now.answered + now.refused;
  const recent = between(first.seconds, now.seconds);
  const time = (q: number) => {
    const found = percentile(q, recent) ?? percentile(q, now.seconds);
    return found === null ? "–" : milliseconds(found);
  };
  const tiles: [string, string][] = [
    ["requests since the start", count(all)],
    ["a second, now", last ? digits(last.answered + last.refused) : "–"],
    ["refused", all ? percent(now.refused / all) : "–"],
    ["median time", time(0.5)],
    ["95th percentile", time(0.95)],
  ];
  return (
    <ul className="tiles">
      {tiles.map(([name, value]) => (
        <li key={name}>
          <b>{value}</b>
          <span className="soft">{name}</span>
        </li>
      ))}
    </ul>
  );
}

const SHOWN = 12;

function Answers({ labels }: { labels: Record<string, number> }) {
  const inOrder = Object.entries(labels).sort(([, one], [, other]) => other - one);
  const total = inOrder.reduce((sum, [, value]) => sum + value, 0);
  const rest = inOrder.slice(SHOWN).reduce((sum, [, value]) => sum + value, 0);
  const rows = [...inOrder.slice(0, SHOWN), ...(rest ? [["all others", rest] as [string, number]] : [])];
  return (
    <section className="card scores answers" aria-labelledby="answers-title">
      <h2 id="answers-title">Answers by class</h2>
      {!rows.length && <p className="soft">None were given since the server started.</p>}
      <ol>
        {rows.map(([label, value]) => (
          <li key={label}>
            <span className="score-name">{label}</span>
            <span className="bar" aria-hidden="true">
              <span style={{ width: `${(100 * value) / total}%` }} />
            </span>
            <span className="number">{count(value)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
