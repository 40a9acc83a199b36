import { type FormEvent, useEffect, useRef, useSyncExternalStore } from "react";
import { keys } from "../api/key";

/** Asks for the API key when the server wants one; the browser's own dialog keeps the keyboard inside. */
export function KeyDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { key, wanted } = useSyncExternalStore(keys.subscribe, keys.get);
  useEffect(() => {
    if (wanted) dialog.current?.showModal();
    else dialog.current?.close();
  }, [wanted]);

  const give = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const value = String(new FormData(form).get("key")).trim();
    if (!value) return;
    form.reset();
    keys.give(value);
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="key-title" onCancel={(event) => event.preventDefault()}>
      <form onSubmit={give}>
        <h2 id="key-title">This server asks for a key</h2>
        {key !== null && (
          <p className="bad" role="alert">
            The key that was given is not one of its keys.
          </p>
        )}
        <p className="soft">It is kept until this tab is closed, and sent to this server only.</p>
        <label>
          API key
          <input name="key" type="password" autoComplete="off" required />
        </label>
        <button type="submit" className="main">
          Use this key
        </button>
      </form>
    </dialog>
  );
}
