//! `interlock schema`: the JSON Schemas of the documents that people write.

use clap::ValueEnum;

use crate::{
    document,
    error::{Error, Exit},
    report,
    slo::{Sli, Slo},
};

/// Print the JSON Schema of a document, for editors to complete and check it
#[derive(Debug, clap::Args)]
pub struct Args {
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
    /// Scenarios: diagrams, and who and what they speak of
    Scenario,
    /// Drills: how a primary is taken away, and what is promised for that
    Drill,
}

impl Args {
    /// Prints the schema.
    pub fn run(self) -> Result<Exit, Error> {
        report::print(&match self.document {
            Document::Platform => document::schema(),
            Document::Slo => slo_schema(),
            Document::Drill => document::drill_schema(),
            Document::Scenario => document::scenario_schema(),
        });
        Ok(Exit::Kept)
    }
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
