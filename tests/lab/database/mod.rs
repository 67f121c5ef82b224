//! Real database clusters of the lab: each kind comes up, is broken and mended in every way, and leaves nothing.

mod configs;
mod left;
mod mariadb;
mod patroni;
mod postgres;
mod stage;
