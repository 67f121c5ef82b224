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
    /// The document; all that there are are named where it is left out
    #[arg(value_enum)]
    document: Option<Document>,
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
        match self.document {
            Some(Document::Platform) => report::print(&document::schema()),
            Some(Document::Slo) => report::print(&slo_schema()),
            Some(Document::Drill) => report::print(&document::drill_schema()),
            Some(Document::Scenario) => report::print(&document::scenario_schema()),
            None => {
                for value in Document::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
                    let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                    report::say(&format!("{:<26}  {help}", format!("interlock schema {}", value.get_name())));
                }
            }
        }
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
