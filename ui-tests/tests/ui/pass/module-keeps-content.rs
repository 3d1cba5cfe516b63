//! The module's own content, visibility, documentation and attributes stay as they were.

mod inner {
    /// The areas.
    #[miu_log::log_domains(app, db)]
    #[allow(non_upper_case_globals)]
    #[cfg(not(any()))]
    pub(super) mod logs {
        //! More about the areas.
        #![allow(unused_imports)]

        use std::collections::HashMap as Map;

        pub const answer: u8 = 42;

        pub fn domains() -> Map<&'static str, Domain> {
            Domain::ALL.iter().map(|domain| (domain.as_str(), *domain)).collect()
        }

        impl Repository {
            /// Methods can be added, the repository being the module's own type.
            pub fn hello(&self) {
                self.app.info("hello");
            }
        }

        macro_rules! unused { ($($t:tt)*) => {} }
        unused!(% @ 'a { } anything);
    }
}

use inner::logs::{self, Domain};

fn main() {
    assert_eq!(logs::answer, 42);
    assert_eq!(logs::domains()["db"], Domain::Db);
    logs::repo().hello();
}
