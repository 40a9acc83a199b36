import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { inside, type Point, type Stroke } from "./drawing";

const STEP = 0.04;
const FINE = 0.01;
const WAYS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface Pen {
  strokes: Stroke[];
  /** Where the keyboard's pen is, and whether it draws. */
  place: Point;
  down: boolean;
  undo: () => void;
  clear: () => void;
  on: {
    onPointerDown: (event: PointerEvent<HTMLElement>) => void;
    onPointerMove: (event: PointerEvent<HTMLElement>) => void;
    onPointerUp: () => void;
    onPointerCancel: () => void;
    onKeyDown: (event: KeyboardEvent<HTMLElement>) => void;
  };
}

interface Kind {
  width: number;
  ink: string;
}

/** A pen that pointer and keyboard move. `onLift` is told the strokes whenever it leaves the paper. */
export function usePen(kind: Kind, onLift: (strokes: Stroke[]) => void): Pen {
  const [strokes, setStrokes] = useState<Stroke[]>([]);
  const [place, setPlace] = useState<Point>({ x: 0.5, y: 0.5 });
  const [down, setDown] = useState(false);
  // Events come faster than renders, so the strokes that count are these.
  const now = useRef<Stroke[]>([]);
  const drawing = useRef(false);

  const show = () => setStrokes([...now.current]);
  const start = (point: Point) => {
    now.current = [...now.current, { points: [point], width: kind.width, ink: kind.ink }];
    drawing.current = true;
    show();
  };
  const extend = (points: Point[]) => {
    const last = now.current.at(-1);
    if (!last) return;
    now.current = [...now.current.slice(0, -1), { ...last, points: [...last.points, ...points] }];
    show();
  };
  const lift = () => {
    if (!drawing.current) return;
    drawing.current = false;
    setDown(false);
    onLift(now.current);
  };
  const change = (next: Stroke[]) => {
    drawing.current = false;
    setDown(false);
    now.current = next;
    show();
    onLift(next);
  };
  const undo = () => change(now.current.slice(0, -1));
  const clear = () => change([]);

  const move = (key: string, fine: boolean) => {
    const [x, y] = WAYS[key]!;
    const step = fine ? FINE : STEP;
    const next = inside({ x: place.x + x * step, y: place.y + y * step });
    setPlace(next);
    if (down) extend([next]);
  };
  const press = () => {
    if (down) return lift();
    setDown(true);
    start(place);
  };
  const keys: Record<string, () => void> = { " ": press, Enter: lift, Delete: clear, Backspace: undo };

  return {
    strokes,
    place,
    down,
    undo,
    clear,
    on: {
      onPointerDown: (event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        start(pointOf(event));
      },
      onPointerMove: (event) => {
        if (drawing.current && !down) extend(pointsOf(event));
      },
      onPointerUp: lift,
      onPointerCancel: lift,
      onKeyDown: (event) => {
        const act = event.key in WAYS ? () => move(event.key, event.shiftKey) : keys[event.key];
        if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        act();
      },
    },
  };
}

/** Every place the pointer was at since the last event. */
function pointsOf(event: PointerEvent<HTMLElement>): Point[] {
  const all = event.nativeEvent.getCoalescedEvents?.() ?? [];
  const box = event.currentTarget.getBoundingClientRect();
  return (all.length ? all : [event.nativeEvent]).map((each) => within(each, box));
}

function pointOf(event: PointerEvent<HTMLElement>): Point {
  return within(event.nativeEvent, event.currentTarget.getBoundingClientRect());
}

function within(event: { clientX: number; clientY: number }, box: DOMRect): Point {
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}
