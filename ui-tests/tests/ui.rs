//! Compiles every file of `ui/pass`, and every file of `ui/fail` to see that it is refused with the
//! messages that stand beside it.
//!
//! A file is named `subject-problem.rs`. `cargo xtask bless` writes the messages anew; read the
//! difference before it is committed: the first error is the one that the file is about, on the
//! token that is wrong, and there is no second one that only follows from it.

#[test]
fn mistakes_are_refused_with_one_message_each() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn sound_programs_compile_whatever_they_shadow() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
