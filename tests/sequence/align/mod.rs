//! Alignments: each operator, all small trees against a reference, costs against pm4py's, and what is bounded.

mod bounds;
mod check;
mod operators;
mod oracle;
mod random;
mod reference;
#[path = "../../support/variants.rs"]
mod variants;
