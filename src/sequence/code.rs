//! The codes of all findings: what each means, how grave it is, and what mermaid makes of it.

use std::fmt;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing when reading the diagram; nothing is wrong.
    Note,
    /// Drawn or read otherwise than it was meant.
    Warning,
    /// Not drawn at all, or leads nowhere.
    Error,
}

impl Severity {
    /// Its name, as it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $severity:ident, $title:literal;)+) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code { $($(#[doc = $doc])+ $name = $number,)+ }

        impl std::str::FromStr for Code {
            type Err = String;

            /// The code of that name, such as `IL-SEQ-040`, in any case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let number = text.to_uppercase().strip_prefix("IL-SEQ-").and_then(|number| number.parse::<u16>().ok());
                let known = Self::ALL.iter().find(|code| Some(**code as u16) == number);
                known.copied().ok_or_else(|| format!("`{text}` is no code; they are such as IL-SEQ-040"))
            }
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// How grave it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it is about, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    /// The text fits no rule of the grammar.
    Syntax = 1, Error, "not in the grammar";
    /// The line breaks of a diagram or document are lost.
    Flattened = 2, Error, "line breaks are lost";
    /// A participant is declared as `Id[Label]`, which sequence diagrams do not have.
    BracketLabel = 3, Warning, "label in brackets";
    /// A participant takes part that is not declared, though others are.
    Undeclared = 4, Warning, "participant is not declared";
    /// A participant is declared and never called.
    NeverCalled = 5, Note, "participant is never called";
    /// A `#` cuts a text off.
    HashCuts = 6, Warning, "`#` cuts the text off";
    /// A `;` ends a statement in the middle of its text.
    SemicolonSplits = 7, Error, "`;` ends the statement";
    /// A participant is named as a keyword is, or begins with one.
    KeywordName = 8, Error, "name begins with a keyword";
    /// Two participants have the same label, or one is declared twice.
    DuplicateParticipant = 9, Warning, "participant declared twice";
    /// A comment stands behind a statement and becomes part of its text.
    TrailingComment = 10, Warning, "comment becomes text";
    /// A note stands over more than two participants.
    WideNote = 11, Error, "note over more than two";
    /// A fragment is not closed.
    Unclosed = 12, Error, "fragment is not closed";
    /// An `end`, `else`, `and` or `option` stands outside of its fragment.
    Stray = 13, Error, "keyword outside of its fragment";
    /// A `par` with one operand runs nothing in parallel.
    SingleParallel = 14, Note, "`par` without `and`";
    /// A dotted arrow answers nobody.
    ReplyWithoutCall = 15, Warning, "reply without a call";
    /// Text is UTF-8 that was once read as a Windows code page.
    Mojibake = 16, Warning, "text was decoded wrongly";
    /// A participant is deactivated that is not active.
    Inactive = 17, Error, "deactivates what is not active";
    /// A created or destroyed participant has no message that does so.
    Lifetime = 18, Error, "no message creates or destroys it";
    /// A participant stands in two boxes, or is created though it exists.
    TwicePlaced = 19, Error, "participant has two places";
    /// The first word names no kind of diagram.
    UnknownKind = 20, Error, "no kind of diagram";
    /// Fragments are nested more deeply than is read.
    TooDeep = 21, Error, "nested too deeply";
    /// A solid arrow goes back along an open call.
    SolidReply = 22, Note, "reply drawn as a call";
    /// A call is answered a second time.
    SecondReply = 23, Warning, "second reply to one call";
    /// An `alt` without `else`: it may be that no branch runs.
    NoElse = 24, Note, "`alt` without `else`";
    /// One diagram holds several exchanges that its user begins.
    SeveralStimuli = 25, Note, "several user actions";
    /// The picture shows an order that no lifeline enforces.
    Race = 26, Note, "order that nothing enforces";
    /// A diagram or fragment holds nothing.
    Empty = 27, Note, "nothing in it";
    /// The YAML in front of a diagram, or in a participant's `@{...}`, cannot be read.
    Yaml = 28, Error, "YAML cannot be read";
    /// Characters between statements are skipped without a word.
    Skipped = 29, Warning, "characters are skipped";
    /// A message or note has no text, not even an empty one.
    NoText = 30, Error, "text is missing";
    /// A word in the diagram makes mermaid take it for another kind.
    TakenForC4 = 31, Error, "taken for a C4 diagram";
    /// A code fence is not closed.
    OpenFence = 32, Error, "code fence is not closed";
    /// Metadata stand at the top without their `---` lines.
    BareMetadata = 33, Warning, "metadata without fences";
    /// A document cannot be read as text.
    Unread = 34, Error, "document cannot be read";
    /// A flowchart has more edges than mermaid draws unless it is told to.
    ManyEdges = 35, Warning, "more edges than mermaid draws";
    /// A link leads to a file that is not there.
    DeadLink = 40, Error, "link leads nowhere";
    /// A link leads to an anchor that its document does not have.
    DeadAnchor = 41, Error, "anchor is not there";
    /// A path in backticks names a file that is not there.
    DeadPath = 42, Warning, "path names nothing";
    /// A pattern in backticks matches no file.
    DeadGlob = 43, Warning, "pattern matches nothing";
    /// An anchor is defined twice in one document.
    DuplicateAnchor = 44, Warning, "anchor defined twice";
    /// An identifier does not look like the others of its family.
    OddIdentifier = 45, Warning, "identifier breaks the pattern";
    /// An identifier is defined twice.
    DuplicateIdentifier = 46, Error, "identifier defined twice";
    /// A link within a site leads to no file, and may lead to what the site's generator makes.
    SiteLink = 47, Note, "link within a site leads to no file";
    /// A scenario cannot be read, or names what its diagram does not have.
    Scenario = 50, Error, "scenario does not fit its diagram";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IL-SEQ-{:03}", *self as u16)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
