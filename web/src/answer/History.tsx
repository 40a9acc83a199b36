import { AudioLines, ImageOff } from "lucide-react";
import { useState } from "react";
import { type Description, isEntities, isLabels } from "../api/types";
import { type Entry, session } from "../lib/session";
import { percent } from "../lib/words";

interface Props {
  app: Description;
  entries: Entry[];
  chosen: number | undefined;
}

/** What was asked before, newest first; a click shows it again. */
export function History({ app, entries, chosen }: Props) {
  if (!entries.length) return null;
  return (
    <section className="history" aria-labelledby="history-title">
      <div className="row">
        <h2 id="history-title">Asked before</h2>
        <button type="button" className="quiet" onClick={() => session.clear(app.name)}>
          Forget all
        </button>
      </div>
      <ul>
        {entries.map((entry) => (
          <li key={entry.id}>
            <button
              type="button"
              className="past"
              aria-pressed={entry.id === chosen}
              onClick={() => session.choose(app.name, entry.id)}
            >
              <Thumb entry={entry} />
              <Outcome entry={entry} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Thumb({ entry: { input } }: { entry: Entry }) {
  const [broken, setBroken] = useState(false);
  if (input.kind === "text") return <span className="past-text">{input.body.slice(0, 90)}</span>;
  if (input.kind === "image" && !broken)
    return <img src={input.url} alt={input.name} onError={() => setBroken(true)} />;
  return (
    <span className="past-text">
      {input.kind === "audio" ? <AudioLines aria-hidden="true" /> : <ImageOff aria-hidden="true" />} {input.name}
    </span>
  );
}

function Outcome({ entry: { answered, problem } }: { entry: Entry }) {
  const [words, score] = problem ? ["No answer"] : answered ? outcome(answered.answer) : ["…"];
  return (
    <span className="past-words">
      <b>{words}</b> {score}
    </span>
  );
}

function outcome(answer: unknown): [string, string?] {
  if (isLabels(answer)) return [answer[0]?.label ?? "", percent(answer[0]?.score ?? 0)];
  return isEntities(answer) ? [`${answer.length} found`] : ["Answered"];
}
