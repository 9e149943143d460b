// The editor for YAML: CodeMirror, loaded only where somebody writes.
//
// It lives in a shadow root, where its styles are constructed sheets: the page's policy allows no
// inline style, and needs no exception for it.
import { autocompletion, type Completion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { history, standardKeymap, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { yaml } from "@codemirror/legacy-modes/mode/yaml";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Text } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { place, type Schema, suggest } from "../lib/schema";

export interface Mistake {
  line: number;
  column: number;
  message: string;
  help: string;
  warning: boolean;
}

export interface Handle {
  /** Puts the cursor at the beginning of a line, from 1. */
  goTo: (line: number) => void;
}

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--panel)", fontSize: "13px", height: "100%" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-content ::selection": { backgroundColor: "var(--info-ground)" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--mute)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--current) 45%, transparent)" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-tooltip": { color: "var(--text)", backgroundColor: "var(--raised)", border: "1px solid var(--edge)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { color: "var(--accent-text)", backgroundColor: "var(--accent)" },
  ".cm-completionInfo": { maxWidth: "320px", padding: "6px 10px" },
  // The library draws these with pictures in its styles, which the page's policy refuses.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)" },
  ".cm-lint-marker": { width: "9px", height: "9px", margin: "5px 0 0 3px", borderRadius: "50%" },
  ".cm-lint-marker-error": { content: "normal", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { content: "normal", backgroundColor: "var(--warn)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--text)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--mute)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.bool, tags.number], color: "var(--info)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--mute)" },
]);

function completions(schema: () => Promise<Schema>) {
  return async (context: CompletionContext) => {
    // Whoever types before it has come is shown the suggestions once it has.
    const known = await schema().catch(() => undefined);
    const at = known && place(context.state.doc.toString(), context.pos);
    if (!known || !at || (!context.explicit && at.from === context.pos && at.key === undefined)) return null;
    const options = suggest(known, at).map(
      (s): Completion => ({
        label: s.label,
        type: s.kind === "key" ? "property" : "constant",
        info: s.about,
        boost: s.needed ? 1 : 0,
        apply: s.kind === "key" ? `${s.label}: ` : s.label,
      }),
    );
    return options.length > 0 ? { from: at.from, options, validFor: /^[\w-]*$/ } : null;
  };
}

/** A mistake as the editor shows it: from its column to the end of its line. */
function shown(doc: Text, m: Mistake): Diagnostic {
  const line = doc.line(Math.max(1, Math.min(doc.lines, m.line)));
  const from = Math.min(line.to, line.from + Math.max(0, m.column - 1));
  return {
    from,
    to: Math.max(from, line.to),
    severity: m.warning ? "warning" : "error",
    message: m.help ? `${m.message}. ${m.help}` : m.message,
  };
}

export default function YamlEditor({
  label,
  begun,
  mistakes,
  schema,
  readOnly,
  onChange,
  onSave,
  handle,
}: {
  label: string;
  /** The text it begins with. Afterwards the text is the editor's own: one that came back a moment late would
   * undo the letters typed meanwhile. */
  begun: string;
  mistakes: Mistake[];
  /** What may be written, once it has come. */
  schema: () => Promise<Schema>;
  readOnly: boolean;
  onChange: (text: string) => void;
  onSave: () => void;
  handle: { current: Handle | undefined };
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ schema, onChange, onSave });
  latest.current = { schema, onChange, onSave };
  const first = useRef(begun);

  useEffect(() => {
    const at = host.current;
    if (!at) return;
    const root = at.shadowRoot ?? at.attachShadow({ mode: "open" });
    const own = keymap.of([
      {
        key: "Mod-s",
        run: () => {
          latest.current.onSave();
          return true;
        },
      },
    ]);
    const state = EditorState.create({
      doc: first.current,
      extensions: [
        lineNumbers(),
        history(),
        indentUnit.of("  "),
        highlightActiveLine(),
        StreamLanguage.define(yaml),
        syntaxHighlighting(colours),
        lintGutter(),
        autocompletion({ override: [completions(() => latest.current.schema())], icons: false }),
        // Tab leaves the editor: it must not be a trap for whoever goes by keyboard.
        own,
        keymap.of([...completionKeymap, ...standardKeymap, ...historyKeymap]),
        EditorState.readOnly.of(readOnly),
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) latest.current.onChange(u.state.doc.toString());
        }),
        theme,
      ],
    });
    const made = new EditorView({ state, parent: root, root });
    view.current = made;
    handle.current = {
      goTo: (line) => {
        const to = made.state.doc.line(Math.max(1, Math.min(made.state.doc.lines, line))).from;
        made.dispatch({ selection: { anchor: to }, effects: EditorView.scrollIntoView(to, { y: "center" }) });
        made.focus();
      },
    };
    return () => {
      handle.current = undefined;
      made.destroy();
    };
  }, [label, readOnly, handle]);

  useEffect(() => {
    const v = view.current;
    if (v) v.dispatch(setDiagnostics(v.state, mistakes.map((m) => shown(v.state.doc, m))));
  }, [mistakes]);

  return <div className="yaml-editor" ref={host} data-typing="" />;
}
