import { Mic, Square } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Description } from "../api/types";
import { session } from "../lib/session";
import { seconds } from "../lib/words";
import { Wave } from "../parts/Wave";
import { DropZone } from "./DropZone";
import { type Recording, record } from "./microphone";

/** Blocks of 128 samples that the picture shows while recording: about four seconds. */
const SHOWN = 1500;

/** A recording from the microphone, or from a file. */
export function AudioInput({ app, onProblem }: { app: Description; onProblem: (error: unknown) => void }) {
  const most = Number(app.transform.settings.max_seconds) || 60;
  const take = (body: Blob) =>
    session.ask(app.name, { kind: "audio", body, name: "recording.wav", url: URL.createObjectURL(body) });
  return (
    <div className="sound-input">
      <Recorder most={most} onDone={take} onProblem={onProblem} />
      <DropZone app={app} onProblem={onProblem} />
    </div>
  );
}

interface Props {
  most: number;
  onDone: (body: Blob) => void;
  onProblem: (error: unknown) => void;
}

function Recorder({ most, onDone, onProblem }: Props) {
  const [recording, setRecording] = useState<Recording | null>(null);
  const running = useRef<Recording | null>(null);
  const start = async () => {
    running.current = await record();
    setRecording(running.current);
  };
  const stop = async () => {
    const done = running.current;
    running.current = null;
    setRecording(null);
    if (done) onDone(await done.stop());
  };
  // Whoever leaves the page while it records wants no answer, only the microphone off.
  useEffect(() => () => void running.current?.stop().catch(() => undefined), []);

  if (!recording) {
    return (
      <button type="button" className="record" onClick={() => start().catch(onProblem)}>
        <Mic aria-hidden="true" /> Record
      </button>
    );
  }
  return <Live recording={recording} most={most} onStop={() => stop().catch(onProblem)} />;
}

function Live({ recording, most, onStop }: { recording: Recording; most: number; onStop: () => void }) {
  const [time, setTime] = useState(0);
  const stop = useRef(onStop);
  stop.current = onStop;
  useEffect(() => {
    const timer = setInterval(() => {
      setTime(recording.seconds());
      if (recording.seconds() >= most) stop.current();
    }, 80);
    return () => clearInterval(timer);
  }, [recording, most]);
  return (
    <div className="live">
      <button type="button" className="record on" onClick={onStop}>
        <Square aria-hidden="true" /> Stop and ask
      </button>
      <span className="number" role="timer">
        {seconds(time)}
      </span>
      <Wave peaks={recent(recording.levels)} label="What the microphone hears" />
    </div>
  );
}

/** The last levels, thinned to bars, the newest at the right. */
function recent(levels: number[]): number[] {
  const last = levels.slice(-SHOWN);
  const full = [...new Array<number>(SHOWN - last.length).fill(0), ...last];
  const step = SHOWN / 100;
  return Array.from({ length: 100 }, (_, at) => Math.max(...full.slice(at * step, (at + 1) * step)));
}
