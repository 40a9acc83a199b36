import { Upload } from "lucide-react";
import { type ChangeEvent, useId } from "react";
import type { Description } from "../api/types";
import { askFiles, NOUNS } from "../lib/media";

/** Where files are chosen; dropping and pasting work on the whole page. */
export function DropZone({ app, onProblem }: { app: Description; onProblem: (error: unknown) => void }) {
  const id = useId();
  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    event.target.value = ""; // The same file can be chosen again.
    askFiles(app, files).catch(onProblem);
  };
  return (
    <label className="drop" htmlFor={id}>
      <input id={id} type="file" accept={`${app.modality}/*`} multiple onChange={choose} />
      <Upload aria-hidden="true" />
      <span>
        <strong>Choose {NOUNS[app.modality]}</strong>, drop it anywhere, or paste it
      </span>
      <small className="soft">It goes to this server only, and is not kept.</small>
    </label>
  );
}
