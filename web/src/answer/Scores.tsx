import type { Description, Labelled } from "../api/types";
import { percent } from "../lib/words";

/** The likeliest labels as bars, the chosen one in large. */
export function Scores({ labels, app }: { labels: Labelled[]; app: Description }) {
  const { threshold } = app.decode;
  return (
    <div className="scores">
      <ol className="leading">
        {labels.map(({ label, score }) => (
          <li key={label}>
            <span className="score-name">{label}</span>
            <span className="bar" aria-hidden="true">
              <span style={{ width: `${100 * Math.max(0, Math.min(1, score))}%` }} />
            </span>
            <span className="number">{percent(score)}</span>
          </li>
        ))}
      </ol>
      {typeof threshold === "number" && app.classes.length === 2 && (
        <p className="soft small">
          {app.classes[1]} is chosen from {percent(threshold)} on.
        </p>
      )}
    </div>
  );
}
