//! What every platform has to do as the ports say: run over memory and over a real lab.
#![cfg(feature = "lab")]

mod contract;
mod lab;
mod memory;
