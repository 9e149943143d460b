//! What may be written in a playbook: one description, from which the loader takes its keys, editors
//! their JSON Schema, and people their reference.

/// What stands behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A name: small letters, digits, `-` and `_`.
    Name,
    /// A list of names.
    Names,
    /// A list of labels of one form; the regular expression.
    Labels(&'static str),
    /// Any text.
    Text,
    /// A text with `${{ cel }}` inside.
    Template,
    /// A CEL expression.
    Expr,
    /// Names and CEL expressions.
    Exprs,
    /// A length of time: `30s`, `5m`, `4h`, `7d`.
    Span,
    /// A whole number within a range.
    Count(u32, u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A type of value.
    Type,
    /// Names and typed values.
    Params,
    /// Any plain value.
    Value,
    /// A list of steps.
    Steps,
    /// Names and lists of steps.
    Branches,
    /// A map with these keys.
    Map(&'static [Key]),
    /// One of several forms.
    Either(&'static [Form]),
}

/// A key of a map.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What stands behind it.
    pub form: Form,
    /// True when it must be there.
    pub needed: bool,
    /// One line for people.
    pub about: &'static str,
}

/// A kind of step.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The key under which it is written.
    pub name: &'static str,
    /// What stands behind it.
    pub form: Form,
    /// One line for people.
    pub about: &'static str,
    /// What later steps can read as `steps.ID.…`, beside `failed` and `skipped`.
    pub gives: &'static str,
}

const fn need(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, form, needed: true, about }
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, form, needed: false, about }
}

const fn kind(name: &'static str, form: Form, about: &'static str, gives: &'static str) -> Shape {
    Shape { name, form, about, gives }
}

/// Keys of the file.
pub const HEADER: &[Key] = &[
    need("name", Form::Name, "The file's name without its ending."),
    need("summary", Form::Text, "What it does, in one line."),
    may("attack", Form::Labels("^T[0-9]{4}(\\.[0-9]{3})?$"), "ATT&CK techniques it answers."),
    may("csf", Form::Labels("^[A-Z]{2}\\.[A-Z]{2}-[0-9]{2}$"), "NIST CSF 2.0 outcomes it serves."),
    may("react", Form::Labels("^RA[0-9]{4}$"), "RE&CT response actions it takes."),
    may("when", Form::Expr, "Runs on every incident for which this is true. Reads `incident`."),
    may(
        "on",
        Form::Word(&["hook", "called"]),
        "Instead of `when`: `hook` answers POST /api/v1/hooks/NAME, `called` runs from another playbook or by hand.",
    ),
    may(
        "autonomy",
        Form::Word(&["observe", "suggest", "approve", "act"]),
        "How far it may go by itself at most, whatever the route allows.",
    ),
    may("inputs", Form::Params, "What it is given beside the incident; read as `inputs.NAME`."),
    may("outputs", Form::Exprs, "What it gives back to the playbook that runs it."),
    need("steps", Form::Steps, "What to do, in order."),
    need("sop", Form::Text, "What people do by hand, and why: prose."),
];

/// Keys of every step, beside the one that says what it does.
pub const STEP: &[Key] = &[
    need("id", Form::Name, "Its name, unique in the file."),
    may("about", Form::Text, "Why, in one line."),
    may("when", Form::Expr, "Skipped when this is false."),
    may("retry", Form::Map(RETRY), "How often a failed try is made again."),
    may(
        "timeout",
        Form::Span,
        "The longest it may take, tries and waits included; then it has failed. 1s to 90d.",
    ),
    may(
        "on_failure",
        Form::Either(&[Form::Word(ON_FAILURE), Form::Steps]),
        "What follows a failure: `hand` (the default: the run stops and a person gets it), `continue`, `unwind` (everything done is undone), or steps.",
    ),
    may(
        "compensate",
        Form::Steps,
        "Steps that undo this one when the run is unwound. Changes are undone by themselves.",
    ),
];

/// Words of `on_failure`.
pub const ON_FAILURE: &[&str] = &["hand", "continue", "unwind"];

/// Keys of `retry`.
pub const RETRY: &[Key] = &[
    need("times", Form::Count(1, 10), "Further tries after the first."),
    may("wait", Form::Span, "Before the first further try; doubles each time, up to 1h. Default 10s."),
];

/// Keys of one input or one field of a form.
pub const PARAM: &[Key] = &[
    need("type", Form::Type, "What may be given."),
    may("default", Form::Value, "Used when nothing is given; without one it must be given."),
    may("about", Form::Text, "For people."),
];

/// Names of types; a list is written `[address]`.
pub const TYPES: &[&str] =
    &["text", "integer", "number", "bool", "address", "domain", "account", "port", "map"];

const TTL: Key =
    may("ttl", Form::Span, "When the change ends by itself. Default: the policy's `default_ttl`.");
const APPROVERS: Key = need("approvers", Form::Names, "Teams whose members may say yes when the guard asks.");
const PEOPLE: Key = may(
    "people",
    Form::Count(1, 2),
    "How many different people must say yes. Default 1; the guard may want more.",
);
const EXPIRES: Key =
    may("expires", Form::Span, "How long the question may wait. Default: the policy's. 1m to 24h.");
const UNDO: Key =
    may("undo", Form::Word(&["none"]), "`none`: this cannot be undone, and the author knows it.");
const TARGET: Key = need("target", Form::Expr, "An address or prefix, from a field of type address.");
const ACCOUNT: Key = need("account", Form::Expr, "An account, from a field of type account.");
const WITH: Key = may("with", Form::Exprs, "Its inputs.");

/// Every kind of step, in the order of the reference.
pub const KINDS: &[Shape] = &[
    kind(
        "block_address",
        Form::Map(&[TARGET, TTL, APPROVERS, PEOPLE, EXPIRES, UNDO]),
        "Drops traffic to and from an address or prefix (RA3101, RA3102).",
        "",
    ),
    kind(
        "limit_address",
        Form::Map(&[
            TARGET,
            need("packets_per_second", Form::Count(1, 10_000_000), "What is let through."),
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Lets only so much traffic of an address through.",
        "",
    ),
    kind(
        "block_port",
        Form::Map(&[
            TARGET,
            need("protocol", Form::Word(&["tcp", "udp"]), "Which transport."),
            need("port", Form::Count(1, 65_535), "Which port."),
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Drops traffic to one port of an address or prefix (RA3107, RA3108).",
        "",
    ),
    kind(
        "quarantine_port",
        Form::Map(&[
            need("port", Form::Expr, "A switch port, from a field of type port."),
            need("vlan", Form::Count(1, 4094), "Into which VLAN."),
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Puts an access port of a switch into the quarantine network.",
        "",
    ),
    kind(
        "lock_account",
        Form::Map(&[ACCOUNT, TTL, APPROVERS, PEOPLE, EXPIRES, UNDO]),
        "Forbids an account to sign in (RA3601).",
        "",
    ),
    kind(
        "unlock_account",
        Form::Map(&[ACCOUNT, TTL, APPROVERS, PEOPLE, EXPIRES, UNDO]),
        "Lets a locked account sign in again (RA5601).",
        "",
    ),
    kind(
        "reset_credential",
        Form::Map(&[ACCOUNT, TTL, APPROVERS, PEOPLE, EXPIRES, UNDO]),
        "Makes an account's present password worthless (RA4601); cannot be undone.",
        "",
    ),
    kind(
        "remove_from_group",
        Form::Map(&[
            ACCOUNT,
            need("group", Form::Expr, "Out of which group; a fixed one is written '\"name\"'."),
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Takes an account out of a group.",
        "",
    ),
    kind(
        "sinkhole_domain",
        Form::Map(&[
            need("domain", Form::Expr, "A name, from a field of type domain."),
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Answers a name and all names below it with our sinkhole (RA3103).",
        "",
    ),
    kind(
        "call",
        Form::Map(&[
            need("call", Form::Name, "The name it was declared under in connectors/."),
            need("subject", Form::Expr, "Whom it is about: an address, account, domain or port."),
            WITH,
            TTL,
            APPROVERS,
            PEOPLE,
            EXPIRES,
            UNDO,
        ]),
        "Makes a declared call that changes something: over HTTP, or a program with fixed arguments.",
        "",
    ),
    kind(
        "enrich",
        Form::Map(&[need("about", Form::Expr, "An address, a name, a hash or an account.")]),
        "Asks all enrichers about a value and waits for them.",
        "`facts`: a list of maps",
    ),
    kind(
        "fetch",
        Form::Map(&[need("call", Form::Name, "The name it was declared under in connectors/."), WITH]),
        "Makes a declared call that changes nothing.",
        "what was answered",
    ),
    kind("set", Form::Exprs, "Computes values.", "the names written"),
    kind(
        "if",
        Form::Map(&[
            need("condition", Form::Expr, "Which way."),
            need("then", Form::Steps, "When it is true."),
            may("else", Form::Steps, "When it is false."),
        ]),
        "One way or the other.",
        "",
    ),
    kind(
        "switch",
        Form::Map(&[
            need("on", Form::Expr, "A text, number, or yes or no; compared as text."),
            need("cases", Form::Branches, "Values and steps."),
            may("default", Form::Steps, "When no case fits; without it that is a failure."),
        ]),
        "One of several ways.",
        "",
    ),
    kind(
        "parallel",
        Form::Map(&[
            may(
                "until",
                Form::Word(&["all", "any"]),
                "When it is over: when all are done (the default), or any one; then the others are stopped.",
            ),
            need("branches", Form::Branches, "Names and steps."),
        ]),
        "Several ways at once.",
        "with `until: any`, `first`: which branch",
    ),
    kind(
        "for_each",
        Form::Map(&[
            need("in", Form::Expr, "The list."),
            may("as", Form::Name, "What the value is called inside. Default `item`."),
            need("at_most", Form::Count(1, 1000), "Longer lists are a failure before the first round."),
            need("steps", Form::Steps, "What to do with each."),
        ]),
        "The same for each of a list, one after the other.",
        "`rounds`: how many",
    ),
    kind(
        "repeat",
        Form::Map(&[
            need("while", Form::Expr, "Looked at before each round."),
            need("at_most", Form::Count(1, 1000), "Most rounds; then it is a failure."),
            need("every", Form::Span, "Between rounds. 1s to 24h."),
            need("steps", Form::Steps, "What to do in each."),
        ]),
        "Again and again while a condition holds.",
        "",
    ),
    kind(
        "wait",
        Form::Either(&[
            Form::Word(&["lifted"]),
            Form::Span,
            Form::Map(&[
                need("until", Form::Expr, "Looked at with every change of the incident and every minute."),
                need("at_most", Form::Span, "Then it has failed."),
            ]),
        ]),
        "Waits: a time, `lifted` (until every change of the run is lifted), or until a condition holds.",
        "",
    ),
    kind(
        "approve",
        Form::Map(&[need("question", Form::Template, "The question."), APPROVERS, EXPIRES]),
        "Asks people a question that is not about one change. No ends the run; silence is never a yes.",
        "`by` and `reason`",
    ),
    kind(
        "manual",
        Form::Map(&[
            need("task", Form::Template, "What to do."),
            need("team", Form::Name, "Which team."),
            may("form", Form::Params, "What to answer."),
            may("expires", Form::Span, "How long it may take; then it has failed. 1m to 90d."),
        ]),
        "Gives people something to do by hand.",
        "the fields of the form",
    ),
    kind(
        "notify",
        Form::Map(&[
            need("team", Form::Name, "Which team."),
            need("text", Form::Template, "The first line is the subject."),
        ]),
        "Tells a team.",
        "",
    ),
    kind(
        "verify",
        Form::Word(&["all"]),
        "Looks again whether every change of this run is as it should be.",
        "",
    ),
    kind(
        "run",
        Form::Map(&[need("playbook", Form::Name, "Which; one with `on: called`."), WITH]),
        "Runs another playbook and waits for it.",
        "its outputs",
    ),
    kind("reply", Form::Exprs, "Answers the caller of a hook. The run goes on.", ""),
];

/// The names of some keys.
#[must_use]
pub fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|k| k.name).collect()
}

/// The keys a kind of step takes when it is written as a map.
#[must_use]
pub fn keys(kind: &str) -> Vec<&'static str> {
    let form = KINDS.iter().find(|k| k.name == kind).map(|k| k.form);
    let map = |form: &Form| match form {
        Form::Map(keys) => Some(names(keys)),
        Form::Name
        | Form::Names
        | Form::Labels(_)
        | Form::Text
        | Form::Template
        | Form::Expr
        | Form::Exprs
        | Form::Span
        | Form::Count(..)
        | Form::Word(_)
        | Form::Type
        | Form::Params
        | Form::Value
        | Form::Steps
        | Form::Branches
        | Form::Either(_) => None,
    };
    match form {
        Some(Form::Either(forms)) => forms.iter().find_map(map).unwrap_or_default(),
        Some(form) => map(&form).unwrap_or_default(),
        None => Vec::new(),
    }
}
