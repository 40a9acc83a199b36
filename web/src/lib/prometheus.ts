/** The text format of Prometheus, as much of it as counters, gauges and histograms need. */

export interface Line {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Record<string, string> = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

export function parse(text: string): Line[] {
  return text.split("\n").flatMap((line) => {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    return found ? [{ name: found[1]!, labels: labelsOf(found[2] ?? ""), value: number(found[3]!) }] : [];
  });
}

function labelsOf(text: string): Record<string, string> {
  const plain = (value: string) => value.replace(/\\[n"\\]/g, (pair) => ESCAPES[pair]!);
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name!, plain(value!)]));
}

function number(text: string): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
