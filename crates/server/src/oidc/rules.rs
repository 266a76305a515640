//! Who may do what: rules that give a role to whoever has a claim.

use super::Claims;
use crate::api::Role;
use serde::Deserialize;
use serde_json::Value;

/// Longest value, bytes.
const MAX_VALUE: usize = 1024;

/// `[[rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    role: Role,
    /// `email`, `groups`, `sub`, or any other; in objects, the names with dots between: `realm_access.roles`.
    claim: String,
    /// What it is, or has in it; one of several. Of an e-mail address `@example.org` is any at that domain.
    is: OneOrMore,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`is` is a text, or a list of texts")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::More(more) => more.iter(),
        }
    }
}

/// All rules.
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    /// Refuses rules that cannot be meant.
    pub(super) fn new(rules: Vec<Rule>) -> Result<Self, String> {
        for (rule, number) in rules.iter().zip(1..) {
            let bad = |why: &str| Err(format!("rule {number}: {why}"));
            if rule.claim.is_empty() {
                return bad("`claim` is empty");
            }
            if rule.claim == "email_verified" {
                return bad("that an address is verified is asked of each: `claim = \"email\"`");
            }
            if rule.is.iter().len() == 0 || rule.is.iter().any(|is| is.trim().is_empty()) {
                return bad("`is` is empty, which nobody is");
            }
            if rule.is.iter().any(|is| is.len() > MAX_VALUE) {
                return bad("`is` is too long");
            }
            let address = |is: &String| is.contains('@') && !is.ends_with('@') && !is.contains('*');
            if rule.claim == "email" && !rule.is.iter().all(address) {
                return bad("`is` is no e-mail address, and no @DOMAIN");
            }
        }
        Ok(Self(rules))
    }

    /// What somebody may: the most that any rule gives him.
    pub(super) fn role(&self, claims: &Claims) -> Option<Role> {
        self.0.iter().filter(|rule| rule.is_of(claims)).map(|rule| rule.role).max()
    }

    /// Whether a rule speaks of something that the claims do not have.
    pub(super) fn want_more_than(&self, claims: &Claims) -> bool {
        self.0.iter().any(|rule| {
            found(claims, &rule.claim).is_none()
                || (rule.claim == "email" && !claims.contains_key("email_verified"))
        })
    }
}

impl Rule {
    fn is_of(&self, claims: &Claims) -> bool {
        if self.claim == "email" {
            let email = verified_email(claims);
            return email.is_some_and(|email| self.is.iter().any(|is| is_address(is, email)));
        }
        let has =
            |value: &Value| value.as_str().is_some_and(|text| self.is.iter().any(|is| is == text));
        match found(claims, &self.claim) {
            Some(Value::Array(values)) => values.iter().any(has),
            Some(value) => has(value),
            None => false,
        }
    }
}

/// A claim by its name, else by the names of objects on the way to it.
fn found<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    found(claims.get(first)?.as_object()?, rest)
}

/// Somebody's address, if the provider has made sure that it is his, and it is one that can be shown.
pub(super) fn verified_email(claims: &Claims) -> Option<&str> {
    if claims.get("email_verified")? != &Value::Bool(true) {
        return None;
    }
    let email = claims.get("email")?.as_str()?;
    let (name, domain) = email.rsplit_once('@')?;
    let plain = email.len() <= 254 && email.bytes().all(|b| b.is_ascii_graphic());
    (plain && !name.is_empty() && !domain.is_empty()).then_some(email)
}

/// Whether an address is the one that a rule names, or at the domain. In practice no two people share one but for capitals.
fn is_address(is: &str, email: &str) -> bool {
    match (is.strip_prefix('@'), email.rsplit_once('@')) {
        (Some(domain), Some((_, of))) => domain.eq_ignore_ascii_case(of),
        _ => is.eq_ignore_ascii_case(email),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Deserialize)]
    struct File {
        rule: Vec<Rule>,
    }

    fn rules(text: &str) -> Result<Rules, String> {
        Rules::new(toml::from_str::<File>(text).map_err(|e| e.to_string())?.rule)
    }

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_most_that_any_rule_gives() {
        let rules = rules(
            "rule = [{ role = \"viewer\", claim = \"email\", is = \"@example.org\" },\n\
             { role = \"operator\", claim = \"groups\", is = [\"ops\", \"night\"] },\n\
             { role = \"operator\", claim = \"https://example.org/team\", is = \"boot\" },\n\
             { role = \"admin\", claim = \"realm_access.roles\", is = \"boss\" },\n\
             { role = \"admin\", claim = \"sub\", is = \"0815\" }]",
        )
        .unwrap();
        let (viewer, operator, admin) =
            (Some(Role::Viewer), Some(Role::Operator), Some(Role::Admin));
        for (has, role) in [
            (json!({ "email": "a@example.org", "email_verified": true }), viewer),
            (json!({ "email": "A@Example.ORG", "email_verified": true }), viewer),
            (json!({ "email": "a@example.org", "email_verified": false }), None),
            (json!({ "email": "a@example.org", "email_verified": "true" }), None),
            (json!({ "email": "a@example.org" }), None),
            (json!({ "email": "a@sub.example.org", "email_verified": true }), None),
            (json!({ "email": "a@evilexample.org", "email_verified": true }), None),
            (json!({ "email": "@example.org", "email_verified": true }), None),
            (json!({ "email": "a@example.org@evil.org", "email_verified": true }), None),
            (json!({ "email": "a@example.org\u{0}", "email_verified": true }), None),
            (json!({ "groups": ["all", "night"] }), operator),
            (json!({ "groups": "ops" }), operator),
            (json!({ "groups": "ops night" }), None),
            (json!({ "groups": [["ops"]] }), None),
            (json!({ "groups": { "ops": true } }), None),
            (json!({ "https://example.org/team": "boot" }), operator),
            (json!({ "realm_access": { "roles": ["boss"] }, "groups": ["ops"] }), admin),
            (json!({ "realm_access": ["boss"] }), None),
            (
                json!({ "realm_access.roles": ["other"], "realm_access": { "roles": ["boss"] } }),
                None,
            ),
            (json!({ "sub": "0815" }), admin),
            (json!({ "sub": 815 }), None),
            (json!({}), None),
        ] {
            assert_eq!(rules.role(&claims(has.clone())), role, "{has}");
        }
    }

    #[test]
    fn what_is_missing_is_wanted() {
        let rules = rules(
            "rule = [{ role = \"viewer\", claim = \"email\", is = \"a@b\" }, { role = \"admin\", claim = \"groups\", is = \"x\" }]",
        )
        .unwrap();
        assert!(rules.want_more_than(&claims(json!({ "email": "a@b", "groups": [] }))));
        assert!(rules.want_more_than(&claims(json!({ "email": "a@b", "email_verified": true }))));
        let all = json!({ "email": "a@b", "email_verified": false, "groups": [] });
        assert!(!rules.want_more_than(&claims(all)));
    }

    #[test]
    fn rules_that_cannot_be_meant() {
        for (rule, why) in [
            ("role = \"viewer\", claim = \"\", is = \"a\"", "rule 1: `claim` is empty"),
            ("role = \"viewer\", claim = \"groups\", is = []", "`is` is empty"),
            ("role = \"viewer\", claim = \"groups\", is = [\"a\", \" \"]", "`is` is empty"),
            ("role = \"viewer\", claim = \"email\", is = \"example.org\"", "no e-mail address"),
            ("role = \"viewer\", claim = \"email\", is = \"*@example.org\"", "no e-mail address"),
            ("role = \"viewer\", claim = \"email_verified\", is = \"true\"", "asked of each"),
            ("role = \"viewer\", claim = \"groups\"", "missing field `is`"),
            (
                "role = \"viewer\", claim = \"groups\", is = \"a\", not = \"b\"",
                "unknown field `not`",
            ),
        ] {
            let error = rules(&format!("rule = [{{ {rule} }}]")).map(drop).unwrap_err();
            assert!(error.contains(why), "{rule}: {error}");
        }
    }
}
