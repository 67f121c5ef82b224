//! Service level objectives, and the verdict on a release that is measured against them. Pure.
