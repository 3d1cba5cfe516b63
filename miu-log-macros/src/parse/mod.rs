//! Tokens to syntax. Nothing is judged here beyond what is needed to cut the input into parts;
//! every part keeps the user's tokens, so that whoever judges it can point at it.

pub(crate) mod diagnose;
pub(crate) mod domains;
pub(crate) mod main;
pub(crate) mod record;
