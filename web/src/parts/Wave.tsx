import { useEffect, useRef } from "react";
import { useScheme } from "./useScheme";

interface Props {
  /** Loudness of equal parts, full scale at 1. */
  peaks: number[];
  label: string;
  /** The part that the model hears, as shares of the length. */
  heard?: [number, number];
  /** How far it was played, as a share. */
  played?: number;
}

/** A waveform on a canvas, in the page's colours. */
export function Wave({ peaks, label, heard = [0, 1], played = 0 }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scheme = useScheme();
  const [from, to] = heard;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another scheme has other colours
  useEffect(() => {
    if (canvas.current) draw(canvas.current, peaks, { heard: [from, to], played });
  }, [peaks, from, to, played, scheme]);
  return <canvas ref={canvas} className="wave" role="img" aria-label={label} />;
}

function draw(canvas: HTMLCanvasElement, peaks: number[], marks: { heard: [number, number]; played: number }): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  canvas.width = width;
  canvas.height = height;
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [main, second, quiet] = [colour("--main"), colour("--second"), colour("--quiet")];
  const most = Math.max(0.05, ...peaks);
  const step = width / peaks.length;
  peaks.forEach((peak, index) => {
    const share = (index + 0.5) / peaks.length;
    const isHeard = share >= marks.heard[0] && share <= marks.heard[1];
    const tall = Math.max(2 * scale, (peak / most) * (height - 4 * scale));
    const isAhead = marks.played > 0 && share > marks.played;
    context.fillStyle = !isHeard ? quiet : isAhead ? second : main;
    context.fillRect(index * step + step * 0.15, (height - tall) / 2, step * 0.7, tall);
  });
}
