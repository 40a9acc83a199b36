import { CircleCheck, CircleX } from "lucide-react";
import type { Clause } from "../api/types";

/** Whether a contract was kept, as a mark. */
export function Kept({ clauses }: { clauses: Clause[] }) {
  const kept = clauses.every((clause) => clause.kept);
  const Icon = kept ? CircleCheck : CircleX;
  return (
    <span className={`chip ${kept ? "good" : "bad"}`}>
      <Icon aria-hidden="true" />
      {kept ? "Contract kept" : "Contract not kept"}
    </span>
  );
}
