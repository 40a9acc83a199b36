/** What the reader handed over, made into an input for an app. */

import { Problem } from "../api/client";
import type { Description } from "../api/types";
import { session } from "./session";
import { readable } from "./sound";

const MOST = 12;

/** Ask about files, the first one last so that it is the one shown. */
export async function askFiles(app: Description, files: File[]): Promise<void> {
  for (const file of files.slice(0, MOST).reverse()) await askFile(app, file);
}

async function askFile(app: Description, file: File): Promise<void> {
  if (app.modality === "text") {
    session.ask(app.name, { kind: "text", body: await file.text() });
    return;
  }
  const body = app.modality === "audio" ? await readable(file) : file;
  session.ask(app.name, { kind: app.modality, body, name: file.name, url: URL.createObjectURL(body) });
}

/** Files of a drop or a paste. Raises Problem where there is nothing that the app could take. */
export function filesOf(data: DataTransfer, app: Description): File[] {
  const files = [...data.files];
  if (!files.length) throw Problem.local("Nothing was dropped that is a file", `Drop ${NOUNS[app.modality]}`);
  return files;
}

/** What an app takes, in a person's words. */
export const NOUNS = { image: "a picture", audio: "a recording", text: "a text" } as const;
