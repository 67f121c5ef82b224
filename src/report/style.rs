//! Whether and how output is coloured.

use std::io::IsTerminal as _;

use comfy_table::{ContentArrangement, Table, presets};

/// How output looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours may be used.
    pub colour: bool,
}

/// Whether progress and colours are out of place on standard error: no terminal, or told so by the environment.
#[must_use]
pub fn is_plain() -> bool {
    let told = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !std::io::stderr().is_terminal() || told("NO_COLOR") || told("CI")
}

impl Style {
    /// The style for standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self { colour: !is_plain() && std::io::stdout().is_terminal() }
    }

    #[must_use]
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners())
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(header.to_vec());
        if !std::io::stdout().is_terminal() {
            table.set_width(140);
        }
        if !self.colour {
            table.force_no_tty();
        }
        table
    }
}
