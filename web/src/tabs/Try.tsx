import { useState } from "react";
import { AnswerPanel } from "../answer/AnswerPanel";
import { History } from "../answer/History";
import { Problem } from "../api/client";
import type { Description } from "../api/types";
import { AudioInput } from "../input/AudioInput";
import { ImageInput } from "../input/ImageInput";
import { TextInput } from "../input/TextInput";
import { useHandedOver } from "../input/useHandedOver";
import { NOUNS } from "../lib/media";
import { useVisit } from "../lib/session";
import { ProblemNote } from "../parts/ProblemNote";

const INPUTS = { image: ImageInput, audio: AudioInput, text: TextInput };

/** Hand an input over on the left, see the answer on the right, and what was asked before below. */
export function Try({ app }: { app: Description }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const over = useHandedOver(app, setProblem);
  const { entries, chosen } = useVisit(app.name);
  const Input = INPUTS[app.modality];
  const fail = (error: unknown) => setProblem(error instanceof Problem ? error : Problem.local(String(error)));
  return (
    <>
      <div className="try">
        <section className="card input" aria-labelledby="input-title">
          <h2 id="input-title">Input</h2>
          <Input app={app} onProblem={fail} />
          {problem && <ProblemNote error={problem} />}
        </section>
        <AnswerPanel app={app} entry={chosen} />
        <History app={app} entries={entries} chosen={chosen?.id} />
      </div>
      {over && <div className="over">Drop {NOUNS[app.modality]} anywhere</div>}
    </>
  );
}
