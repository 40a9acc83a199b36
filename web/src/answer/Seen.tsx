import { type ReactNode, useState } from "react";
import { type Description, isLabels } from "../api/types";
import type { Entry } from "../lib/session";
import { percent } from "../lib/words";
import { Player } from "./Player";

/** What was asked about, with what was found written on it. */
export function Seen({ app, entry }: { app: Description; entry: Entry }) {
  const { input, answered } = entry;
  if (input.kind === "text") return <blockquote className="quote">{input.body}</blockquote>;
  const answer = answered?.answer;
  const found = isLabels(answer) ? <Caption label={answer[0]?.label ?? ""} score={answer[0]?.score ?? 0} /> : null;
  if (input.kind === "audio") return <Player key={entry.id} app={app} input={input} found={found} />;
  return (
    <Picture key={entry.id} url={input.url} name={input.name} resize={app.transform.settings.resize} found={found} />
  );
}

interface PictureProps {
  url: string;
  name: string;
  resize: unknown;
  found: ReactNode;
}

function Caption({ label, score }: { label: string; score: number }) {
  return (
    <figcaption>
      <b>{label}</b> {percent(score)}
    </figcaption>
  );
}

function Picture({ url, name, resize, found }: PictureProps) {
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [broken, setBroken] = useState(false);
  if (broken) return <p className="soft">{name}: this browser cannot show it.</p>;
  const small = size !== null && Math.max(size.width, size.height) <= 128;
  return (
    <figure className="picture">
      <div className="frame" data-small={small}>
        <div className="shown">
          <img
            src={url}
            alt={name}
            onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => setSize({ width, height })}
            onError={() => setBroken(true)}
          />
          {resize === "crop" && size && <Cut {...size} />}
        </div>
        {found}
      </div>
      {size && (
        <p className="soft small">
          {name} · {size.width} × {size.height} pixels
        </p>
      )}
    </figure>
  );
}

/** What an app that looks at the centre does not see. */
function Cut({ width, height }: { width: number; height: number }) {
  const short = Math.min(width, height);
  const [x, y] = [(50 * (width - short)) / width, (50 * (height - short)) / height];
  return <span className="cut" style={{ inset: `${y}% ${x}%` }} title="The app sees the centre" />;
}
