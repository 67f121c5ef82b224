//! `interlock schema`: the JSON Schemas of the documents that people write.

use clap::{Args, ValueEnum};

use crate::{
    document,
    error::{Error, Exit},
    slo::{Sli, Slo},
};

/// Print the JSON Schema of a document, for editors to complete and check it
#[derive(Debug, Args)]
pub struct Schema {
    /// The document
    #[arg(value_enum)]
    document: Document,
}

/// A document that has a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// The platform file, interlock.yaml
    Platform,
    /// OpenSLO documents of the kinds SLO and SLI
    Slo,
}

/// Prints the schema.
///
/// # Errors
/// Where standard output cannot be written.
pub fn run(args: &Schema) -> Result<Exit, Error> {
    let schema = match args.document {
        Document::Platform => document::schema(),
        Document::Slo => slo_schema(),
    };
    let mut text = serde_json::to_string_pretty(&schema).map_err(|e| Error::usage(e.to_string(), "report this"))?;
    text.push('\n');
    super::slo::print(&text).map(|()| Exit::Kept)
}

fn slo_schema() -> serde_json::Value {
    /// Either of the two kinds that decide.
    #[derive(schemars::JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is of use")]
    enum Either {
        Slo(Box<Slo>),
        Sli(Box<Sli>),
    }
    schemars::schema_for!(Either).to_value()
}
