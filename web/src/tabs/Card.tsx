import Markdown from "react-markdown";
import remarkGfm from "remark-gfm";
import type { Description, Tensor } from "../api/types";
import { Copy } from "../parts/Copy";

/** The app's card, and what goes in and comes out. */
export default function Card({ app }: { app: Description }) {
  return (
    <div className="stack">
      {app.card && (
        <article className="card prose">
          <Markdown
            remarkPlugins={[remarkGfm]}
            components={{ table: Table, th: Heading, h1: "h2", h2: "h3", h3: "h4" }}
          >
            {app.card}
          </Markdown>
        </article>
      )}
      <section className="card" aria-labelledby="signature-title">
        <h2 id="signature-title">What goes in and comes out</h2>
        <Signature app={app} />
      </section>
    </div>
  );
}

/** Wide tables are scrolled, not the page. */
function Table({ children }: { children?: React.ReactNode }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table>{children}</table>
    </div>
  );
}

/** A table's corner without words is no heading of anything. */
function Heading({ children }: { children?: React.ReactNode }) {
  return children ? <th>{children}</th> : <td />;
}

function Signature({ app }: { app: Description }) {
  const settings = Object.entries(app.transform.settings).filter(([, value]) => value !== null);
  return (
    <dl className="pairs">
      <Pair name="Input">{app.modality}</Pair>
      <Pair name={`Transform: ${app.transform.name}`}>
        {settings.map(([name, value]) => `${name} ${shown(value)}`).join(", ")}
      </Pair>
      <Pair name="Into the graph">{app.inputs.map(tensor).join(", ")}</Pair>
      <Pair name="Out of the graph">{app.outputs.map(tensor).join(", ")}</Pair>
      <Pair name="Decode">
        {Object.entries(app.decode)
          .map(([name, value]) => `${name} ${shown(value)}`)
          .join(", ")}
      </Pair>
      {app.classes.length > 0 && <Pair name={`${app.classes.length} classes`}>{app.classes.join(", ")}</Pair>}
      <Pair name="The app's id">
        <code>{app.id}</code> <Copy text={app.id} name="the id" />
      </Pair>
    </dl>
  );
}

function Pair({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function tensor({ name, dtype, shape }: Tensor): string {
  return `${name}: ${dtype} (${shape.map((axis) => axis ?? "any").join(", ")})`;
}

function shown(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
