//! Bad releases on real pods: each is found, and put back or never begun.
