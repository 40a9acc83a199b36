import { RotateCw, TriangleAlert } from "lucide-react";
import { Problem, type ProblemBody } from "../api/client";

/** A problem in its parts: what is wrong, the rule, what was received, what to do. */
export function ProblemNote({ error, again }: { error: Error; again?: () => void }) {
  const body = error instanceof Problem ? error.body : {};
  const status = error instanceof Problem && error.status ? error.status : null;
  const parts: [string, string | undefined][] = [
    ["The rule", body.rule],
    ["Received", body.received],
    ["What to do", body.remedy],
  ];
  return (
    <div className="problem" role="alert">
      <TriangleAlert aria-hidden="true" />
      <div>
        <p className="problem-what">{whatOf(error.message, body)}</p>
        <dl>{parts.map(([name, text]) => text && <Part key={name} name={name} text={text} />)}</dl>
        {status && (
          <p className="soft small">
            {body.title} ({status})
          </p>
        )}
        {again && (
          <button type="button" className="quiet" onClick={again}>
            <RotateCw aria-hidden="true" /> Try again
          </button>
        )}
      </div>
    </div>
  );
}

function Part({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** The message without the parts that are told below it. */
function whatOf(message: string, { rule, received, remedy }: ProblemBody): string {
  const parts = [rule, received && `Received: ${received}`, remedy];
  return parts.reduce<string>(
    (text, part) => (part ? text.replace(` ${part.replace(/\.$/, "")}.`, "") : text),
    message,
  );
}
