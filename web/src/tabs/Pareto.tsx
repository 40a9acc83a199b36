import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import type { Search, Trial } from "../api/types";
import type { Limit, Mark, Picture } from "../lib/pareto";
import { digits, megabytes, milliseconds, percent, shortPlan } from "../lib/words";
import { useWidth } from "../parts/useWidth";

const MARGIN = { left: 62, right: 18, top: 30, bottom: 46 };
const RADIUS = { most: 15, least: 6 };

type Scale = ScaleContinuousNumeric<number, number>;

interface Props {
  search: Search;
  picture: Picture;
  axes: { x: string; y: string };
  /** How a value of y is written. */
  form: (value: number) => string;
  /** Whether more of y is better. */
  up: boolean;
  log?: boolean;
}

/** All plans as dots, as large as the plan's files; a line joins those that no other beats in both. */
export function Pareto({ search, picture, axes, form, up, log = false }: Props) {
  const [frame, width] = useWidth<HTMLDivElement>();
  const [shown, setShown] = useState<Trial | null>(null);
  const size = { width, height: Math.max(280, Math.min(420, width * 0.55)) };
  const scales = useMemo(() => scalesOf(picture, log, size.width), [picture, log, size.width]);
  const trial = shown ?? picture.marks.find((mark) => mark.trial.plan === search.shipped)?.trial ?? null;
  return (
    <div ref={frame} className="pareto">
      {width > 0 && (
        <svg width={size.width} height={size.height} role="group" aria-label={`${axes.y} against ${axes.x}`}>
          <Frame scales={scales} size={size} axes={axes} form={form} />
          <Limits picture={picture} scales={scales} size={size} />
          <Front marks={picture.front} scales={scales} />
          <Bounds picture={picture} scales={scales} />
          <Names search={search} picture={picture} scales={scales} width={size.width} />
          <Dots search={search} picture={picture} scales={scales} shown={shown} onShow={setShown} />
        </svg>
      )}
      <Legend better={up ? "up" : "down"} bounds={picture.marks.some(({ bound }) => bound !== undefined)} />
      <p className="told" role="status">
        {trial && <Told trial={trial} search={search} />}
      </p>
    </div>
  );
}

interface Scales {
  x: Scale;
  y: Scale;
}

function scalesOf({ marks, xLimit, ends }: Picture, log: boolean, width: number): Scales {
  const height = Math.max(280, Math.min(420, width * 0.55));
  const xs = [...marks.map(({ x }) => x), ...(xLimit ? [xLimit.at] : [])].filter((value) => value > 0);
  const x = scaleLog([Math.min(...xs) / 1.3, Math.max(...xs) * 1.3], [MARGIN.left, width - MARGIN.right]);
  const down: [number, number] = [height - MARGIN.bottom, MARGIN.top];
  const [low, high] = ends;
  const room = 0.12 * (high - low || 0.01);
  const y = log ? scaleLog([low / 1.4, high * 1.4], down) : scaleLinear([low - room, high + room], down);
  return { x, y: y.clamp(true) };
}

interface Size {
  width: number;
  height: number;
}

function Frame(props: { scales: Scales; size: Size; axes: Props["axes"]; form: Props["form"] }) {
  const { scales, size, axes, form } = props;
  const bottom = size.height - MARGIN.bottom;
  return (
    <g className="axes" aria-hidden="true">
      {ticks(scales.y, 5).map((value) => (
        <g key={value} transform={`translate(0 ${scales.y(value)})`}>
          <line x1={MARGIN.left} x2={size.width - MARGIN.right} />
          <text x={MARGIN.left - 8} dy="0.32em" textAnchor="end">
            {form(value)}
          </text>
        </g>
      ))}
      {ticks(scales.x, size.width / 110).map((value) => (
        <text key={value} x={scales.x(value)} y={bottom + 18} textAnchor="middle">
          {digits(value)}
        </text>
      ))}
      <line className="base" x1={MARGIN.left} x2={size.width - MARGIN.right} y1={bottom} y2={bottom} />
      <text className="name" x={(MARGIN.left + size.width) / 2} y={size.height - 6} textAnchor="middle">
        {axes.x}
      </text>
      <text className="name" x={0} y={12}>
        {axes.y}
      </text>
    </g>
  );
}

/** About `count` round values; a logarithmic scale gives many more, of which every so many are kept. */
function ticks(scale: Scale, count: number): number[] {
  const all = scale.ticks(count);
  const leading = all.filter((value) => /^[125]/.test(value.toExponential()));
  const chosen = leading.length >= 3 && all.length > count + 2 ? leading : all;
  const step = Math.ceil(chosen.length / (count + 2));
  return chosen.filter((_, index) => index % step === 0);
}

function Limits({ picture, scales, size }: { picture: Picture; scales: Scales; size: Size }) {
  const bottom = size.height - MARGIN.bottom;
  return (
    <g className="limits">
      {picture.yLimit && <Across limit={picture.yLimit} at={scales.y(picture.yLimit.at)} size={size} />}
      {picture.xLimit && (
        <g transform={`translate(${scales.x(picture.xLimit.at)} 0)`}>
          <line y1={MARGIN.top} y2={bottom} />
          <text transform={`translate(-5 ${bottom - 6}) rotate(-90)`}>{picture.xLimit.words}</text>
        </g>
      )}
    </g>
  );
}

function Across({ limit, at, size }: { limit: Limit; at: number; size: Size }) {
  return (
    <g transform={`translate(0 ${at})`}>
      <line x1={MARGIN.left} x2={size.width - MARGIN.right} />
      <text x={MARGIN.left + 6} dy="-0.4em">
        {limit.words}
      </text>
    </g>
  );
}

function Front({ marks, scales }: { marks: Mark[]; scales: Scales }) {
  const path = marks.map(({ x, y }) => `${scales.x(x)},${scales.y(y)}`).join(" ");
  return <polyline className="front" points={path} aria-hidden="true" />;
}

function Bounds({ picture, scales }: { picture: Picture; scales: Scales }) {
  return (
    <g className="bounds" aria-hidden="true">
      {picture.marks.map(
        ({ trial, x, y, bound }) =>
          bound !== undefined && (
            <line key={trial.plan} x1={scales.x(x)} x2={scales.x(x)} y1={scales.y(y)} y2={scales.y(bound)} />
          ),
      )}
    </g>
  );
}

interface DotsProps {
  search: Search;
  picture: Picture;
  scales: Scales;
  shown: Trial | null;
  onShow: (trial: Trial | null) => void;
}

/** The dots; Tab enters them, arrow keys go from one to the next by time. */
function Dots({ search, picture, scales, shown, onShow }: DotsProps) {
  const group = useRef<SVGGElement>(null);
  const inOrder = picture.marks.toSorted((one, other) => one.x - other.x);
  const byArea = picture.marks.toSorted((one, other) => other.trial.size_mb - one.trial.size_mb); // Small ones on top.
  const first = inOrder.findIndex(({ trial }) => trial.plan === search.shipped);
  const at = shown ? inOrder.findIndex(({ trial }) => trial === shown) : Math.max(0, first);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (at + step + inOrder.length) % inOrder.length;
    group.current?.querySelector<SVGElement>(`[data-at="${next}"]`)?.focus();
  };
  return (
    <g ref={group} onKeyDown={onKeyDown}>
      {byArea
        .map((mark) => ({ ...mark, index: inOrder.indexOf(mark) }))
        .map(({ trial, x, y, index }) => (
          <circle
            key={trial.plan}
            data-at={index}
            className="dot-mark"
            role="img"
            aria-label={sentence(trial, search)}
            tabIndex={index === at ? 0 : -1}
            data-kind={kindOf(trial, search)}
            data-shown={trial === shown}
            cx={scales.x(x)}
            cy={scales.y(y)}
            r={radius(trial, byArea[0])}
            onPointerEnter={() => onShow(trial)}
            onPointerDown={() => onShow(trial)}
            onFocus={() => onShow(trial)}
            onBlur={() => onShow(null)}
          />
        ))}
    </g>
  );
}

function radius({ size_mb }: Trial, largest: Mark | undefined): number {
  return Math.max(RADIUS.least, RADIUS.most * Math.sqrt(size_mb / (largest?.trial.size_mb ?? size_mb)));
}

/** Names of the plan that is shipped and of the one it is measured against, where there is room for them. */
function Names({ search, picture, scales, width }: Omit<DotsProps, "shown" | "onShow"> & { width: number }) {
  const largest = picture.marks.toSorted((one, other) => other.trial.size_mb - one.trial.size_mb)[0];
  const named = picture.marks.filter(({ trial }) => [search.shipped, search.reference].includes(trial.plan));
  return (
    <g className="names" aria-hidden="true">
      {named.map(({ trial, x, y }) => {
        const away = radius(trial, largest) + 5;
        const left = scales.x(x) > width * 0.7;
        const words = trial.plan === search.shipped ? "shipped" : trial.plan;
        return (
          <text key={trial.plan} x={scales.x(x)} y={scales.y(y) - away} textAnchor={left ? "end" : "start"}>
            {words}
          </text>
        );
      })}
    </g>
  );
}

function kindOf(trial: Trial, search: Search): "shipped" | "kept" | "missed" {
  if (trial.plan === search.shipped) return "shipped";
  return trial.kept ? "kept" : "missed";
}

function Told({ trial, search }: { trial: Trial; search: Search }) {
  return (
    <>
      <strong>{shortPlan(trial.plan)}</strong>
      {sentence(trial, search).slice(trial.plan.length)}
    </>
  );
}

function sentence(trial: Trial, search: Search): string {
  const figures = [
    `${percent(trial.metric)} ${search.metric.replaceAll("_", " ")}`,
    `${milliseconds(trial.model_ms)} alone`,
    `${milliseconds(trial.p95_ms)} from input to answer (p95)`,
    megabytes(trial.size_mb),
  ];
  const verdict = { shipped: "shipped", kept: "keeps the contract", missed: "does not keep the contract" };
  return `${trial.plan}: ${figures.join(", ")}; ${verdict[kindOf(trial, search)]}.`;
}

function Legend({ better, bounds }: { better: "up" | "down"; bounds: boolean }) {
  return (
    <ul className="legend">
      <li data-kind="shipped">shipped</li>
      <li data-kind="kept">keeps the contract</li>
      <li data-kind="missed">does not</li>
      {bounds && <li data-kind="bound">95 % bound, which counts</li>}
      <li data-kind="front">no other is better in both</li>
      <li className="soft">area: size · better: left and {better}</li>
    </ul>
  );
}
