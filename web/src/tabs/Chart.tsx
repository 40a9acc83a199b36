import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { digits } from "../lib/words";
import { useScheme } from "../parts/useScheme";
import { useWidth } from "../parts/useWidth";

export interface Series {
  name: string;
  /** A colour of the page's style. */
  colour: "main" | "bad" | "warn";
  fill?: boolean;
  values: (number | null)[];
}

interface Props {
  name: string;
  times: number[];
  series: Series[];
  unit: string;
  /** Seconds that the chart is wide. */
  span: number;
}

const HEIGHT = 180;
/** Seconds that are shown from the start on. */
const SHORTEST = 30;

/** Lines over the last seconds, the newest at the right; the legend has the values under the pointer, or the last. */
export function Chart({ name, times, series, unit, span }: Props) {
  const [frame, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useScheme();
  const data = [times, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const newest = useRef(data);
  newest.current = data;

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew for another width or scheme; data comes below
  useEffect(() => {
    const place = frame.current;
    if (!place || !width) return;
    const style = getComputedStyle(place);
    const made = new uPlot(options({ series, span, width, style, onPoint: setAt }), newest.current, place);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [width, scheme]);
  useEffect(() => plot.current?.setData(data));

  const shown = at === null || at >= times.length ? times.length - 1 : at;
  return (
    <>
      <div ref={frame} className="chart" role="img" aria-label={`${name} over the last ${span} seconds`} />
      <dl className="chart-legend">
        {series.map((each) => (
          <div key={each.name} data-colour={each.colour}>
            <dt>{each.name}</dt>
            <dd className="number">{said(each.values[shown], unit)}</dd>
          </div>
        ))}
        {at !== null && times[shown] !== undefined && <span className="soft number">at {clock(times[shown])}</span>}
      </dl>
    </>
  );
}

interface Look {
  series: Series[];
  span: number;
  width: number;
  style: CSSStyleDeclaration;
  onPoint: (at: number | null) => void;
}

function options({ series, span, width, style, onPoint }: Look): uPlot.Options {
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour("soft"), font: `12px ${style.fontFamily}`, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    scales: {
      x: { time: true, range: (_, min, max) => [max - Math.min(span, Math.max(SHORTEST, max - min)), max] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 80, values: (_, ticks) => ticks.map(clock) },
      {
        ...axis,
        grid: { stroke: colour("line"), width: 1 },
        size: 46,
        space: 36,
        values: (_, ticks) => ticks.map(short),
      },
    ],
    series: [
      {},
      ...series.map(({ colour: line, fill }) => ({
        stroke: colour(line),
        width: 2,
        points: { show: false },
        ...(fill ? { fill: `color-mix(in srgb, ${colour(line)} 14%, transparent)` } : {}),
      })),
    ],
  };
}

const short = (value: number) => digits(value);

function said(value: number | null | undefined, unit: string): string {
  return typeof value === "number" ? `${digits(value)}${unit}` : "–";
}

function clock(time: number): string {
  return new Date(1000 * time).toLocaleTimeString("en-GB");
}
