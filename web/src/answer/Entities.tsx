import type { Entity } from "../api/types";
import { pieces } from "../lib/entities";
import { percent } from "../lib/words";

/** Colours that the page's style knows for kinds of entities. */
const COLOURS = 8;

interface Props {
  text: string;
  entities: Entity[];
  kinds: string[];
}

/** The text with what was found in it, and the same as a list. */
export function Entities({ text, entities, kinds }: Props) {
  const colour = (kind: string) => Math.max(0, kinds.indexOf(kind)) % COLOURS;
  if (!entities.length) {
    return (
      <>
        <blockquote className="quote">{text}</blockquote>
        <p className="soft">Nothing was found in this text.</p>
      </>
    );
  }
  return (
    <>
      <p className="found">
        {pieces(text, entities).map(({ start, text: words, entity }) =>
          entity ? (
            <mark key={start} data-colour={colour(entity.entity_group)}>
              {words}
              <small>{entity.entity_group}</small>
            </mark>
          ) : (
            <span key={start}>{words}</span>
          ),
        )}
      </p>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>Found</th>
              <th>Kind</th>
              <th className="n">Score</th>
            </tr>
          </thead>
          <tbody>
            {entities.map(({ word, entity_group, score, start }) => (
              <tr key={start}>
                <td>{word}</td>
                <td>{entity_group}</td>
                <td className="n">{percent(score)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
