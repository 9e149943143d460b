// Dialogs: the browser's own element keeps the focus inside, closes on Escape and hides what is behind.
import { type ReactNode, useEffect, useId, useRef } from "react";

export function Dialog({
  title,
  onClose,
  children,
  wide = false,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    // The heading, and no button: Enter must not close or decide before anything was read.
    (dialog?.querySelector<HTMLElement>("[data-first]") ?? dialog?.querySelector("h2"))?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? "dialog wide-dialog" : "dialog"}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        close.current();
      }}
      onClick={(e) => {
        if (e.target === ref.current) close.current();
      }}
    >
      <div className="dialog-body">
        <header>
          <h2 id={id} tabIndex={-1}>
            {title}
          </h2>
          <button type="button" className="btn quiet" onClick={() => close.current()} aria-label="Close">
            Close <kbd>Esc</kbd>
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** A dialog that asks for a reason. */
export function ReasonDialog({
  title,
  button,
  busy,
  error,
  onClose,
  onGive,
  children,
  tone = "primary",
  required = true,
}: {
  title: string;
  button: string;
  busy: boolean;
  error?: ReactNode;
  onClose: () => void;
  onGive: (reason: string) => void;
  children?: ReactNode;
  tone?: "primary" | "danger";
  required?: boolean;
}) {
  const id = useId();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onGive(String(new FormData(e.currentTarget).get("reason") ?? "").trim());
        }}
      >
        {children}
        <label htmlFor={id}>Reason{required ? "" : " (may be left out)"}</label>
        <textarea id={id} name="reason" data-first rows={3} required={required} maxLength={8000} autoComplete="off" />
        <p className="mute">It goes into the journal with your name.</p>
        {error}
        <footer>
          <button type="submit" className={`btn ${tone}`} disabled={busy}>
            {busy ? "Working…" : button}
          </button>
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
