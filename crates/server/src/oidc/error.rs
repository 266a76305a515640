//! What a log-in is refused for.

/// A log-in does not come to an end.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many log in in this moment")]
    Busy,
    #[error("the system gives no random bytes")]
    Random,
    #[error("this log-in was not begun in this browser, or more than ten minutes ago")]
    NotBegun,
    #[error("the answer belongs to another log-in than the one that this browser has begun last")]
    State,
    #[error("this log-in was used already")]
    Used,
    #[error("the provider answered: {0}")]
    Provider(String),
    #[error("the provider's answer has no code")]
    NoCode,
    #[error("the answer says that it is of the provider {said:?}, not of {expected:?}")]
    OtherIssuer { said: String, expected: String },
    #[error(
        "the answer does not say of which provider it is, though this provider says that always"
    )]
    NoIssuer,
    #[error("{url}: {why}")]
    Unreachable { url: String, why: String },
    #[error("{url}: what is said there is not valid: {why}")]
    Nonsense { url: String, why: String },
    #[error("the provider does not accept the code: {0}")]
    Code(String),
    #[error("the ID token is not valid: {0}")]
    Token(String),
    #[error("no rule lets {name} in")]
    NoRule { subject: String, name: String },
}

impl Refused {
    pub(super) fn token(why: impl Into<String>) -> Self {
        Self::Token(why.into())
    }

    /// Whether it is the provider that cannot be used in this moment, and no fault of whoever logs in.
    pub(crate) fn is_providers(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Nonsense { .. })
    }
}
