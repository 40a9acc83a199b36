/** A drawing as strokes on a square of side 1, and how it becomes a picture. */

export interface Point {
  x: number;
  y: number;
}

export interface Stroke {
  points: Point[];
  /** Share of the side. */
  width: number;
  ink: string;
}

export interface Drawing {
  strokes: Stroke[];
  ground: string;
}

/** Pixels of a picture for a model of `size` pixels: a whole multiple of it, so that a pixel is a pixel. */
export function sideOf(size: unknown): number {
  const side = typeof size === "number" && size > 0 ? size : 224;
  return side * Math.max(1, Math.round(320 / side));
}

export function paint(canvas: HTMLCanvasElement, { strokes, ground }: Drawing): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.fillStyle = ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const stroke of strokes) paintStroke(context, stroke, canvas.width);
}

function paintStroke(context: CanvasRenderingContext2D, { points, width, ink }: Stroke, side: number): void {
  const [first] = points;
  if (!first) return;
  context.strokeStyle = ink;
  context.lineWidth = width * side;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.beginPath();
  context.moveTo(first.x * side, first.y * side);
  // Curves through the middles of the steps are round where the pointer's own steps are not.
  for (let at = 1; at < points.length - 1; at++) {
    const [here, next] = [points[at]!, points[at + 1]!];
    context.quadraticCurveTo(
      here.x * side,
      here.y * side,
      ((here.x + next.x) / 2) * side,
      ((here.y + next.y) / 2) * side,
    );
  }
  const last = points.at(-1)!;
  context.lineTo(last.x * side, last.y * side);
  context.stroke();
}

/** The drawing as a square PNG of `side` pixels. */
export function png(drawing: Drawing, side: number): Promise<Blob> {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  paint(canvas, drawing);
  return new Promise((resolve, reject) => {
    const take = (blob: Blob | null) => (blob ? resolve(blob) : reject(new Error("The drawing became no picture")));
    canvas.toBlob(take, "image/png");
  });
}

/** `point` kept on the square. */
export function inside({ x, y }: Point): Point {
  const held = (value: number) => Math.min(1, Math.max(0, value));
  return { x: held(x), y: held(y) };
}

const LARGEST = 4;

/** The strokes moved to the middle and scaled, their widths kept, so that their ink fills `share` of the side. */
export function fitted(strokes: Stroke[], share: number): Stroke[] {
  const points = strokes.flatMap((stroke) => stroke.points);
  const [x, y] = [extent(points.map((point) => point.x)), extent(points.map((point) => point.y))];
  const widest = Math.max(0, ...strokes.map(({ width }) => width));
  const span = Math.max(x.span, y.span);
  const scale = span > 0 ? Math.min(LARGEST, Math.max(0, share - widest) / span) : 1;
  const move = (point: Point) => ({ x: 0.5 + (point.x - x.middle) * scale, y: 0.5 + (point.y - y.middle) * scale });
  return strokes.map((stroke) => ({ ...stroke, points: stroke.points.map(move) }));
}

function extent(values: number[]): { middle: number; span: number } {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return { middle: (low + high) / 2, span: high - low };
}
