import { ImageUp, Pencil } from "lucide-react";
import { useState } from "react";
import type { Description } from "../api/types";
import { Choice } from "../parts/Choice";
import { DrawPad } from "./DrawPad";
import { DropZone } from "./DropZone";

const WAYS = [
  { value: "file", name: "Picture", Icon: ImageUp },
  { value: "draw", name: "Draw", Icon: Pencil },
] as const;

/** Models of pictures this small can be drawn for. */
const DRAWN = 64;

/** A picture from a file, or one that is drawn here. */
export function ImageInput({ app, onProblem }: { app: Description; onProblem: (error: unknown) => void }) {
  const { size, channels } = app.transform.settings;
  const small = typeof size === "number" && size <= DRAWN && channels === 1;
  const [way, setWay] = useState<"file" | "draw">(small ? "draw" : "file");
  return (
    <>
      <Choice name="How to give a picture" options={WAYS} value={way} onChange={setWay} />
      {way === "draw" ? <DrawPad app={app} /> : <DropZone app={app} onProblem={onProblem} />}
    </>
  );
}
