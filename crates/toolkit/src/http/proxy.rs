//! Proxies, as the environment names them for every program.

use super::url::Url;

/// Which proxy stands before which servers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    /// For `http`.
    pub(crate) http: Option<String>,
    /// For `https`.
    pub(crate) https: Option<String>,
    /// Servers that are spoken to without: `*`, or names and addresses with commas between.
    pub(crate) none: String,
}

impl Proxies {
    /// From `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
    ///
    /// `HTTP_PROXY` in capitals is not read, since CGI programs have it from whoever calls them.
    pub(crate) fn of_environment() -> Self {
        let get = |names: &[&str]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        };
        let all = get(&["all_proxy", "ALL_PROXY"]);
        Self {
            http: get(&["http_proxy"]).or_else(|| all.clone()),
            https: get(&["https_proxy", "HTTPS_PROXY"]).or(all),
            none: get(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        }
    }

    /// The same for all.
    pub(crate) fn fixed(proxy: &str) -> Self {
        let proxy = (!proxy.is_empty()).then(|| proxy.to_owned());
        Self { http: proxy.clone(), https: proxy, none: String::new() }
    }

    /// The proxy for an address, if any. Only `http` proxies are known.
    pub(crate) fn of(&self, url: &Url) -> Result<Option<Url>, super::url::Error> {
        let text = match url.scheme {
            super::url::Scheme::Http => &self.http,
            super::url::Scheme::Https => &self.https,
        };
        let Some(text) = text.as_ref().filter(|_| !self.excepts(&url.host)) else {
            return Ok(None);
        };
        let proxy = Url::parse(text)?;
        if proxy.scheme != super::url::Scheme::Http {
            return Err(super::url::Error::Malformed("only http:// proxies are known"));
        }
        // 1080 is what curl takes when a proxy's port is not given.
        let given = text.rsplit('@').next().is_some_and(|place| {
            place.trim_start_matches("http://").trim_end_matches('/').contains("]:")
                || place.trim_start_matches("http://").matches(':').count() == 1
        });
        Ok(Some(if given { proxy } else { Url { port: 1080, ..proxy } }))
    }

    fn excepts(&self, host: &str) -> bool {
        self.none.split([',', ' ']).filter(|rule| !rule.is_empty()).any(|rule| {
            let rule = rule.trim_matches(['[', ']']).trim_start_matches('.').to_ascii_lowercase();
            rule == "*"
                || host == rule
                || host.strip_suffix(rule.as_str()).is_some_and(|rest| rest.ends_with('.'))
                || in_prefix(host, &rule)
        })
    }
}

/// Whether an address is in `ADDRESS/BITS`.
fn in_prefix(host: &str, rule: &str) -> bool {
    let (Ok(host), Ok((prefix, length))) =
        (host.parse::<std::net::IpAddr>(), crate::ip::parse_prefix(rule))
    else {
        return false;
    };
    let bits = |address| {
        crate::ip::octets(address)
            .into_iter()
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(byte))
    };
    let dropped = u32::from(crate::ip::bits(prefix) - length);
    host.is_ipv4() == prefix.is_ipv4()
        && bits(host).checked_shr(dropped).unwrap_or(0)
            == bits(prefix).checked_shr(dropped).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_suffixes_and_prefixes() {
        let proxies = Proxies {
            none: "a.example, .b.example 10.0.0.0/8,::1".into(),
            ..Proxies::fixed("p:3128")
        };
        for (host, through) in [
            ("a.example", false),
            ("x.a.example", false),
            ("xa.example", true),
            ("b.example", false),
            ("10.9.8.7", false),
            ("11.0.0.1", true),
            ("[::1]", false),
            ("c.example", true),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(proxies.of(&url).unwrap().is_some(), through, "{host}");
        }
    }

    #[test]
    fn ports_have_a_default() {
        let url = Url::parse("https://h/").unwrap();
        let port = |text: &str| Proxies::fixed(text).of(&url).unwrap().unwrap().port;
        assert_eq!(
            [port("p:3128"), port("http://u:p@p"), port("http://p:80/"), port("[::1]:81")],
            [3128, 1080, 80, 81]
        );
        assert!(Proxies::fixed("socks5://p").of(&url).is_err());
        assert!(Proxies::fixed("").of(&url).unwrap().is_none());
    }
}
