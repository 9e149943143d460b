// A button that opens a short list. The list lies in the browser's top layer: nothing around it can cut it
// off, and Escape or a press elsewhere closes it.
import { type ReactNode, useId, useRef } from "react";

export function Menu({
  name,
  of,
  disabled = false,
  children,
}: {
  name: ReactNode;
  /** What the list is about, for those who do not see it. */
  of: string;
  disabled?: boolean;
  children: ReactNode;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  return (
    <>
      <button type="button" className="btn quiet" popoverTarget={id} disabled={disabled}>
        {name}
      </button>
      <div ref={list} id={id} popover="auto" role="group" aria-label={of} className="menu" onClick={() => list.current?.hidePopover()}>
        {children}
      </div>
    </>
  );
}
