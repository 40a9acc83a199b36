import { Pause, Play } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import type { Description } from "../api/types";
import type { Input } from "../lib/session";
import { decode, heard, peaks, type Sound } from "../lib/sound";
import { seconds } from "../lib/words";
import { Wave } from "../parts/Wave";

const BARS = 120;

interface Props {
  app: Description;
  input: Exclude<Input, { kind: "text" }>;
  found: ReactNode;
}

/** A recording that is played and seen: its waveform, the part that the model hears, and what was found. */
export function Player({ app, input, found }: Props) {
  const sound = useSound(input.body);
  const bars = useMemo(() => (sound ? peaks(sound.samples, BARS) : []), [sound]);
  const part = heard(sound?.seconds ?? 0, app.transform.settings);
  const [played, setPlayed] = useState(0);
  return (
    <figure className="sound">
      <div className="sound-line">
        <PlayButton url={input.url} onTime={setPlayed} />
        {sound && (
          <div className="sound-wave">
            <Wave peaks={bars} heard={part} played={played} label={`Waveform of ${input.name}`} />
            {found}
          </div>
        )}
      </div>
      <p className="soft small">
        {input.name}
        {sound && ` · ${seconds(sound.seconds)}`}
        {part[0] > 0 && sound && ` · the model hears ${seconds((part[1] - part[0]) * sound.seconds)} of the middle`}
      </p>
    </figure>
  );
}

function useSound(body: Blob): Sound | null {
  const [sound, setSound] = useState<Sound | null>(null);
  useEffect(() => {
    let wanted = true;
    void decode(body).then((found) => wanted && setSound(found));
    return () => {
      wanted = false;
    };
  }, [body]);
  return sound;
}

function PlayButton({ url, onTime }: { url: string; onTime: (share: number) => void }) {
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      const { currentTime, duration } = audio.current ?? { currentTime: 0, duration: 1 };
      onTime(currentTime / (duration || 1));
    }, 40);
    return () => clearInterval(timer);
  }, [playing, onTime]);
  const end = () => {
    setPlaying(false);
    onTime(0);
  };
  const toggle = () => {
    if (playing) audio.current?.pause();
    else audio.current?.play().catch(() => setPlaying(false));
  };
  const Icon = playing ? Pause : Play;
  return (
    <>
      <audio ref={audio} src={url} onPlay={() => setPlaying(true)} onPause={() => setPlaying(false)} onEnded={end} />
      <button type="button" className="round" onClick={toggle} aria-label={playing ? "Pause" : "Play"}>
        <Icon aria-hidden="true" />
      </button>
    </>
  );
}
