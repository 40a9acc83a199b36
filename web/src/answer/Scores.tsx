import type { Abstain, Description, Labelled } from "../api/types";
import { percent } from "../lib/words";

/** The likeliest labels as bars, the chosen one in large; where no class fits, that before all. */
export function Scores({ labels, app }: { labels: Labelled[]; app: Description }) {
  const { threshold, abstain } = app.decode;
  const outcome = abstain?.label;
  const abstained = labels[0]?.label === outcome;
  const shown = abstained ? labels : labels.filter(({ label }) => label !== outcome);
  return (
    <div className="scores">
      {abstain && abstained && <NoClass abstain={abstain} />}
      <ol className="leading" data-abstained={abstained || undefined}>
        {shown.map(({ label, score }) => (
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

function NoClass({ abstain }: { abstain: Abstain }) {
  return (
    <p className="no-class">
      <b>No class fits.</b> This looks less like what the app knows than {percent(abstain.keep)} of what it was made
      for, so it answers “{abstain.label}”. Below it stand the nearest classes.
    </p>
  );
}
