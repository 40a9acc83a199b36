import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { pathOf } from "../api/client";
import { type Description, isEntities, isLabels } from "../api/types";
import type { Entry } from "../lib/session";
import { milliseconds } from "../lib/words";
import { Copy } from "../parts/Copy";
import { ProblemNote } from "../parts/ProblemNote";
import { Entities } from "./Entities";
import { Scores } from "./Scores";
import { Seen } from "./Seen";

/** The answer to the chosen input: what it saw, what it found, how long it took. */
export function AnswerPanel({ app, entry }: { app: Description; entry: Entry | undefined }) {
  return (
    <section
      className="card answer"
      aria-labelledby="answer-title"
      aria-live="polite"
      aria-busy={entry?.waiting ?? false}
    >
      <h2 id="answer-title">Answer</h2>
      {entry ? <Told app={app} entry={entry} /> : <Nothing app={app} />}
    </section>
  );
}

const SHOWN = 24;

function Nothing({ app }: { app: Description }) {
  const more = app.classes.length - SHOWN;
  return (
    <div className="nothing">
      <p className="soft">{app.classes.length ? "Nothing was asked yet. This app knows:" : "Nothing was asked yet."}</p>
      <ul className="classes">
        {app.classes.slice(0, SHOWN).map((name) => (
          <li key={name}>{name}</li>
        ))}
        {more > 0 && <li className="more">and {more} more</li>}
      </ul>
    </div>
  );
}

function Told({ app, entry }: { app: Description; entry: Entry }) {
  const { input, answered, problem } = entry;
  return (
    <>
      {!isEntities(answered?.answer) && <Seen app={app} entry={entry} />}
      {problem && <ProblemNote error={problem} />}
      {answered && (
        <>
          <Found answer={answered.answer} text={input.kind === "text" ? input.body : null} app={app} />
          <p className="soft small took">
            <span className="number">{milliseconds(answered.ms)}</span> from here to the server and back
            {answered.id && answered.id !== app.id && " · the app was swapped meanwhile"}
          </p>
          <More name="The answer as the server gave it" text={JSON.stringify(answered.answer, null, 2)} />
        </>
      )}
      {entry.waiting && !answered && <p className="soft wait">Asking…</p>}
      <More name="The same from a command line" text={command(app, entry)} />
    </>
  );
}

function Found({ answer, text, app }: { answer: unknown; text: string | null; app: Description }): ReactNode {
  if (isLabels(answer)) return <Scores labels={answer} app={app} />;
  if (isEntities(answer) && text !== null) return <Entities text={text} entities={answer} kinds={app.classes} />;
  return null; // A task that this console does not know: the JSON below says all.
}

function More({ name, text }: { name: string; text: string }) {
  return (
    <details className="more-about">
      <summary>
        <ChevronRight aria-hidden="true" /> {name}
      </summary>
      <div className="code">
        <pre tabIndex={0}>{text}</pre>
        <Copy text={text} name="this" />
      </div>
    </details>
  );
}

/** The request as curl makes it. */
function command(app: Description, { input }: Entry): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const url = new URL(`${pathOf(app.name)}/predict`, window.location.origin);
  const type = input.kind === "text" ? "text/plain" : input.body.type || "application/octet-stream";
  const data = input.kind === "text" ? quoted(input.body) : quoted(`@${input.name}`);
  return `curl ${quoted(url.href)} \\\n  -H 'Content-Type: ${type}' \\\n  --data-binary ${data}`;
}
