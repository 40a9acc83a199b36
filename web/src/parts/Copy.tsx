import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";

/** A button that copies `text` and says that it did. */
export function Copy({ text, name }: { text: string; name: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      // Without https a page may not write there; the text stands beside the button and can be selected.
    }
  };
  return (
    <button type="button" className="quiet" onClick={() => void copy()} aria-label={done ? "Copied" : `Copy ${name}`}>
      {done ? <Check aria-hidden="true" /> : <CopyIcon aria-hidden="true" />}
    </button>
  );
}
