//! The releases of Prometheus that are tested, and tests of each.

use crate::{programs::program, servers::Server};

/// A release of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// That of the Debian package.
    Debian,
    /// That which `tests/programs/build prometheus` makes.
    Today,
}

impl Release {
    fn program(self) -> String {
        match self {
            Self::Debian => "prometheus".to_owned(),
            Self::Today => program("prometheus", "prometheus"),
        }
    }

    /// Starts a server of this release with a configuration and more arguments.
    pub fn start(self, config: &str, more: &[String]) -> Server {
        Server::start(&self.program(), config, |file, address| {
            let own = [
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", file.with_file_name("data").display()),
                format!("--web.listen-address={address}"),
                "--log.level=error".to_owned(),
            ];
            own.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>()
        })
    }
}

/// Makes a test of each release from a function that is given one.
macro_rules! on_each_release {
    ($test:ident) => {
        mod $test {
            use crate::release::Release;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_debians_release() {
                super::$test(Release::Debian).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_todays_release() {
                super::$test(Release::Today).await;
            }
        }
    };
}
pub(crate) use on_each_release;
