import { AudioLines, Image, KeyRound, Type } from "lucide-react";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { keys } from "../api/key";
import type { Summary } from "../api/types";
import { pulses } from "../lib/poll";
import { hashOf, type Tab } from "../lib/route";

const ICONS = { image: Image, audio: AudioLines, text: Type };

/** The apps to pick from, whether the server answers, and the key where one is in use. */
export function Side({ apps, chosen, tab }: { apps: Summary[]; chosen: string | null; tab: Tab }) {
  return (
    <aside className="side">
      <div className="side-in">
        <div className="brand">
          <Mark />
          <span>Lepton</span>
        </div>
        <nav aria-label="Apps">
          <ul className="apps">
            {apps.map((app) => (
              <li key={app.name}>
                <AppLink app={app} tab={tab} here={app.name === chosen} />
              </li>
            ))}
          </ul>
        </nav>
        <div className="side-foot">
          <Status />
          <ForgetKey />
        </div>
      </div>
    </aside>
  );
}

function AppLink({ app, tab, here }: { app: Summary; tab: Tab; here: boolean }) {
  const Icon = ICONS[app.modality];
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    const [own, list] = [link.current, link.current?.closest("nav")];
    // On a phone the list goes sideways. scrollIntoView would also move the place from which Tab starts.
    if (here && own && list) list.scrollLeft = own.offsetLeft - (list.clientWidth - own.offsetWidth) / 2;
  }, [here]);
  return (
    <a ref={link} className="app" href={hashOf(app.name, tab)} aria-current={here ? "page" : undefined}>
      <Icon aria-hidden="true" />
      <span className="app-name">
        {app.name}
        <small>{app.task.replaceAll("-", " ")}</small>
      </span>
    </a>
  );
}

function Status() {
  const { problem, readings } = useSyncExternalStore(pulses.subscribe, pulses.get);
  const live = !problem && readings.length > 0;
  const words = live
    ? "Server answers"
    : problem?.status === 401
      ? "Key needed"
      : problem
        ? problem.message
        : "Connecting";
  return (
    <p className="status" data-live={live}>
      <span className="dot" aria-hidden="true" />
      {words}
    </p>
  );
}

function ForgetKey() {
  const { key } = useSyncExternalStore(keys.subscribe, keys.get);
  if (key === null) return null;
  return (
    <button type="button" className="quiet" onClick={keys.forget}>
      <KeyRound aria-hidden="true" /> Forget the key
    </button>
  );
}

function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <ellipse cx="16" cy="16" rx="11" ry="4.6" transform="rotate(-32 16 16)" />
      <circle cx="16" cy="16" r="3.4" />
    </svg>
  );
}
