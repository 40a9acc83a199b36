import * as Slider from "@radix-ui/react-slider";
import { Contrast, Maximize, Trash2, Undo2 } from "lucide-react";
import { type RefObject, useEffect, useId, useRef, useState } from "react";
import type { Description } from "../api/types";
import { session } from "../lib/session";
import { type Drawing, fitted, paint, png, type Stroke, sideOf } from "./drawing";
import { type Pen, usePen } from "./usePen";

const WHITE = "#ffffff";
const BLACK = "#000000";
/** Per cent of the side. */
const WIDTH = 12;

/** How much of the side a fitted drawing fills: the smaller a picture, the closer data sets cut it. */
const shareOf = (size: unknown) => (typeof size === "number" && size < 16 ? 0.9 : 0.8);

interface Way {
  white: boolean;
  fit: boolean;
}

/** A square to draw on. The answer follows each stroke; one drawing, however it grows, is one entry. */
export function DrawPad({ app }: { app: Description }) {
  const { size, channels } = app.transform.settings;
  const grey = channels === 1;
  const [way, setWay] = useState<Way>({ white: !grey, fit: grey });
  const [width, setWidth] = useState(WIDTH);
  const [colour, setColour] = useState("#2456c8");
  const paper = useRef<HTMLCanvasElement>(null);
  const entry = useRef<number | undefined>(undefined);

  const drawn = (strokes: Stroke[], { white }: Way): Drawing => ({
    ground: white ? WHITE : BLACK,
    strokes: grey ? strokes.map((stroke) => ({ ...stroke, ink: white ? BLACK : WHITE })) : strokes,
  });
  const ask = async (strokes: Stroke[], how: Way) => {
    if (!strokes.length) {
      entry.current = undefined; // An empty paper begins another drawing.
      return;
    }
    const drawing = drawn(how.fit ? fitted(strokes, shareOf(size)) : strokes, how);
    const body = await png(drawing, sideOf(size));
    const input = { kind: "image", body, name: "drawing.png", url: URL.createObjectURL(body) } as const;
    entry.current = session.ask(app.name, input, entry.current);
  };
  const pen = usePen({ width: width / 100, ink: colour }, (strokes) => void ask(strokes, way));
  const change = (next: Way) => {
    setWay(next);
    void ask(pen.strokes, next);
  };
  useEffect(() => {
    if (paper.current) paint(paper.current, drawn(pen.strokes, way));
  });

  return (
    <div className="pad">
      <Paper pen={pen} canvas={paper} side={sideOf(size)} width={width} />
      <div className="tools">
        <Width value={width} onChange={setWidth} />
        {!grey && (
          <label className="ink">
            Ink <input type="color" value={colour} onChange={(event) => setColour(event.target.value)} />
          </label>
        )}
      </div>
      <div className="tools">
        <button type="button" onClick={() => change({ ...way, white: !way.white })}>
          <Contrast aria-hidden="true" /> {way.white ? "Black paper" : "White paper"}
        </button>
        <button type="button" aria-pressed={way.fit} onClick={() => change({ ...way, fit: !way.fit })}>
          <Maximize aria-hidden="true" /> Fit
        </button>
        <button type="button" onClick={pen.undo} disabled={!pen.strokes.length}>
          <Undo2 aria-hidden="true" /> Undo
        </button>
        <button type="button" onClick={pen.clear} disabled={!pen.strokes.length}>
          <Trash2 aria-hidden="true" /> Clear
        </button>
      </div>
    </div>
  );
}

interface PaperProps {
  pen: Pen;
  canvas: RefObject<HTMLCanvasElement | null>;
  side: number;
  width: number;
}

function Paper({ pen, canvas, side, width }: PaperProps) {
  const help = useId();
  const place = { left: `${100 * pen.place.x}%`, top: `${100 * pen.place.y}%`, width: `${width}%` };
  return (
    <>
      <div
        className="paper"
        role="application"
        aria-label="Drawing paper"
        aria-describedby={help}
        tabIndex={0}
        {...pen.on}
      >
        <canvas ref={canvas} width={side} height={side} />
        {!pen.strokes.length && <span className="paper-hint">Draw here</span>}
        <span className="pen" data-down={pen.down} style={place} aria-hidden="true" />
      </div>
      <p id={help} className="soft small paper-help">
        Arrow keys move the pen, with Shift finely; Space puts it down and lifts it; Backspace takes the last stroke
        back, Delete clears.
      </p>
    </>
  );
}

function Width({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  const id = useId();
  return (
    <div className="width">
      <span id={id}>Pen</span>
      <Slider.Root
        className="slider"
        min={2}
        max={24}
        step={1}
        value={[value]}
        onValueChange={([next]) => next && onChange(next)}
      >
        <Slider.Track className="slider-track">
          <Slider.Range className="slider-range" />
        </Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-labelledby={id} />
      </Slider.Root>
    </div>
  );
}
