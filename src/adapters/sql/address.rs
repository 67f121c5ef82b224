//! Nodes and their addresses, as the platform file names them.

use std::collections::BTreeSet;

use crate::ports::PortError;

/// One node of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub name: String,
    /// Its host: a name or an address.
    pub host: String,
    pub port: u16,
}

/// Reads the nodes' addresses: `host:port`, `[::1]:port`, or a host alone.
pub fn servers(system: &str, nodes: &[(String, String)], usual_port: u16) -> Result<Vec<Server>, PortError> {
    let odd = |why: String| PortError::unexpected(format!("the list of {system} nodes"), why);
    if nodes.is_empty() {
        return Err(odd("it is empty; name each node with its address".to_owned()));
    }
    let mut names = BTreeSet::new();
    nodes
        .iter()
        .map(|(name, address)| {
            if !names.insert(name) {
                return Err(odd(format!("{name} is there twice")));
            }
            let (host, port) = split(address, usual_port)
                .ok_or_else(|| odd(format!("the address of {name} is not like `host:{usual_port}`")))?;
            Ok(Server { name: name.clone(), host, port })
        })
        .collect()
}

fn split(address: &str, usual_port: u16) -> Option<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match address.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            // More colons than one, and no brackets: an address of IPv6 alone.
            _ => (address, None),
        },
    };
    let port = port.map_or(Some(usual_port), |port| port.parse().ok().filter(|port| *port > 0))?;
    // A path would name a unix socket, and an `@` somebody's password.
    let fine = !host.is_empty() && !host.contains(['/', '@', ' ', ',']);
    fine.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        let read = |text| split(text, 5432);
        assert_eq!(read("127.0.0.1:6000"), Some(("127.0.0.1".to_owned(), 6000)));
        assert_eq!(read("db-1.example"), Some(("db-1.example".to_owned(), 5432)));
        assert_eq!(read("[::1]:6000"), Some(("::1".to_owned(), 6000)));
        assert_eq!(read("::1"), Some(("::1".to_owned(), 5432)));
        for wrong in ["", ":5432", "db:x", "db:0", "db:70000", "/run/pg", "me:secret@db:1", "[::1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_not_repeated() {
        let nodes = [("a".to_owned(), "me:secret@db:1".to_owned())];
        let error = servers("PostgreSQL", &nodes, 5432).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        let twice = [("a".to_owned(), "db:1".to_owned()), ("a".to_owned(), "db:2".to_owned())];
        assert!(servers("PostgreSQL", &twice, 5432).is_err());
        assert!(servers("PostgreSQL", &[], 5432).is_err());
    }
}
