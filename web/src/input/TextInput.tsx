import { CornerDownLeft } from "lucide-react";
import { type KeyboardEvent, useId, useState } from "react";
import type { Description } from "../api/types";
import { session } from "../lib/session";

/** A text, asked with Ctrl + Enter or the button. */
export function TextInput({ app }: { app: Description }) {
  const id = useId();
  const [text, setText] = useState("");
  const ask = () => {
    if (text.trim()) session.ask(app.name, { kind: "text", body: text });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    ask();
  };
  return (
    <div className="typed">
      <label htmlFor={id} className="soft">
        A text
      </label>
      <textarea
        id={id}
        rows={6}
        value={text}
        placeholder="Type or paste here"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="row">
        <span className="soft small">
          <kbd>Ctrl</kbd> <kbd>Enter</kbd> asks
        </span>
        <button type="button" className="main" onClick={ask} disabled={!text.trim()}>
          <CornerDownLeft aria-hidden="true" /> Ask
        </button>
      </div>
    </div>
  );
}
