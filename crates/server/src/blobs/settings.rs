//! `blobs.toml`: a bucket of S3-compatible storage in place of the folder.

use super::BlobError;
use crate::home::{self, read_secret};
use hyper::Uri;
use object_store::{
    aws::{AmazonS3Builder, AmazonS3ConfigKey as Key},
    path::Path as ObjectPath,
};
use serde::{Deserialize, Deserializer, de::Error};
use std::{
    env,
    path::{Path, PathBuf},
};
use xenoboot_wire::Pin;

/// What stands in the environment for programs that use such storage: who they are, and where.
const FROM_ENVIRONMENT: [Key; 12] = [
    Key::AccessKeyId,
    Key::SecretAccessKey,
    Key::Token,
    Key::WebIdentityTokenFile,
    Key::RoleArn,
    Key::RoleSessionName,
    Key::StsEndpoint,
    Key::ContainerCredentialsRelativeUri,
    Key::ContainerCredentialsFullUri,
    Key::ContainerAuthorizationTokenFile,
    Key::MetadataEndpoint,
    Key::ImdsV1Fallback,
];

/// Where blobs are.
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(Box<Bucket>),
}

/// A bucket.
pub(super) struct Bucket {
    /// For people, without anything secret.
    pub(super) shown: String,
    pub(super) prefix: ObjectPath,
    pub(super) pin: Option<Pin>,
    pub(super) builder: AmazonS3Builder,
}

/// `blobs.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobsFile {
    bucket: String,
    /// What all names begin with, in a bucket that has other things too.
    prefix: Option<String>,
    /// Where the storage is, if not at Amazon.
    endpoint: Option<String>,
    region: Option<String>,
    access_key: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    secret_key: Option<String>,
    style: Option<Style>,
    #[serde(default)]
    allow_http: bool,
    /// The key by which the endpoint is known, if its certificate is not one of a public authority.
    pin: Option<Pin>,
}

/// Where the bucket's name stands.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Style {
    /// https://HOST/BUCKET
    Path,
    /// https://BUCKET.HOST
    Virtual,
}

/// What is wrong with it must not be said with what it is.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer);
    text.map(Some).map_err(|_| D::Error::custom("secret_key is not a string"))
}

impl Place {
    /// Where the server with this folder has its blobs.
    pub(super) fn of(dir: &Path) -> Result<Self, BlobError> {
        let path = dir.join(home::BLOBS_FILE);
        let Some(text) = read_secret(&path)? else {
            return Ok(Self::Folder(dir.join(home::BLOBS)));
        };
        let invalid = |reason| BlobError::Settings { path: path.clone(), reason };
        // Only what is wrong, not the line, which may have the secret.
        let file: BlobsFile =
            toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
        let environment = env::vars().filter(|_| file.access_key.is_none());
        let mut bucket = bucket(&file, environment).map_err(invalid)?;
        bucket.shown.push_str(&format!(" ({})", path.display()));
        Ok(Self::Bucket(Box::new(bucket)))
    }
}

fn bucket(
    file: &BlobsFile,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Bucket, String> {
    let BlobsFile { bucket, prefix, endpoint, region, pin, .. } = file;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return Err(format!("bucket: `{bucket}` is not the name of a bucket"));
    }
    let prefix = prefix.as_deref().unwrap_or_default().trim_end_matches('/');
    let prefix = ObjectPath::parse(prefix).map_err(|e| format!("prefix: {e}"))?;
    // Amazon gives each bucket a name of its own; most others do not.
    let usual = if endpoint.is_some() { Style::Path } else { Style::Virtual };
    let by_host = file.style.unwrap_or(usual) == Style::Virtual;
    let mut builder = credentials(file, environment)?
        .with_bucket_name(bucket)
        .with_region(region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(by_host)
        .with_allow_http(file.allow_http);
    let mut shown = format!("the bucket {bucket}");
    if let Some(endpoint) = endpoint {
        let (scheme, authority) = parse(endpoint, file.allow_http)?;
        shown = format!("{shown} at {scheme}://{authority}");
        builder = builder.with_endpoint(match by_host {
            true => format!("{scheme}://{bucket}.{authority}"),
            false => format!("{scheme}://{authority}"),
        });
    }
    Ok(Bucket { shown, prefix, pin: *pin, builder })
}

/// Who the server is to the storage.
fn credentials(
    file: &BlobsFile,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<AmazonS3Builder, String> {
    let mut builder = AmazonS3Builder::new();
    match (&file.access_key, &file.secret_key) {
        (Some(access), Some(secret)) => {
            return Ok(builder.with_access_key_id(access).with_secret_access_key(secret));
        }
        (None, None) => {}
        _ => return Err("access_key and secret_key go together".to_owned()),
    }
    for (name, value) in environment {
        let key = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse::<Key>());
        if let Some(Ok(key)) = key
            && FROM_ENVIRONMENT.contains(&key)
        {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

/// The scheme and the host, with a port if there is one.
fn parse(endpoint: &str, allow_http: bool) -> Result<(String, String), String> {
    let expected = "endpoint: expected https://HOST or https://HOST:PORT";
    let uri: Uri = endpoint.parse().map_err(|_| expected.to_owned())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(expected.to_owned());
    };
    // A name and a password before the host would be shown, and are of no use here.
    if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
        return Err(expected.to_owned());
    }
    match scheme {
        "https" => {}
        "http" if allow_http => {}
        "http" => {
            return Err("endpoint: by http anybody on the way can read and change what passes; \
                 if that is as it should be, say allow_http = true"
                .to_owned());
        }
        _ => return Err(expected.to_owned()),
    }
    Ok((scheme.to_owned(), authority.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::HomeError;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn place(text: &str, mode: u32) -> Result<Place, BlobError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blobs.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Place::of(dir.path())
    }

    const GOOD: &str = "bucket = \"fleet\"\naccess_key = \"AK\"\nsecret_key = \"hush-hush\"\n";

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Place::of(dir.path()), Ok(Place::Folder(_))));
        assert!(matches!(place(GOOD, 0o600), Ok(Place::Bucket(_))));
        let exposed = place(GOOD, 0o640).err().unwrap();
        assert!(matches!(exposed, BlobError::File(HomeError::Exposed { mode: 0o640, .. })));
        for (bad, part) in [
            ("bucket = \"fleet\"\nsecret_key = \"hush-hush\"", "go together"),
            ("bucket = \"fleet\"\nsecret = \"hush-hush\"", "unknown field `secret`"),
            ("secret_key = \"hush-hush\"", "missing field `bucket`"),
            ("bucket = \"fleet\"\nsecret_key = [\"hush-hush\"]", "not a string"),
            ("bucket = \"fleet\"\nsecret_key = \"hush-hush", ""),
            ("bucket = \"a/b\"", "is not the name of a bucket"),
            ("bucket = \"fleet\"\nprefix = \"a/../b\"", "prefix"),
            ("bucket = \"fleet\"\nendpoint = \"http://s3.example\"", "allow_http = true"),
            ("bucket = \"fleet\"\nendpoint = \"https://a:hush-hush@s3.example\"", "expected https"),
            ("bucket = \"fleet\"\nendpoint = \"https://s3.example/fleet\"", "expected https"),
            ("bucket = \"fleet\"\nendpoint = \"s3.example\"", "expected https"),
            ("bucket = \"fleet\"\nstyle = \"hush\"", "unknown variant"),
        ] {
            let error = place(bad, 0o600).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains("blobs.toml") && text.contains(part), "{bad}: {text}");
            assert!(!text.contains("hush-hush"), "{text}");
        }
    }

    /// What the settings come to.
    fn of(text: &str, environment: &[(&str, &str)]) -> Bucket {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        bucket(&toml::from_str(text).unwrap(), environment).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn where_the_bucket_is() {
        let endpoint = |text: &str| of(text, &[]).builder.get_config_value(&Key::Endpoint);
        let minio = "bucket = \"fleet\"\nendpoint = \"https://s3.example:9000/\"\n";
        assert_eq!(endpoint(minio).unwrap(), "https://s3.example:9000");
        let by_host = format!("{minio}style = \"virtual\"");
        assert_eq!(endpoint(&by_host).unwrap(), "https://fleet.s3.example:9000");
        assert_eq!(endpoint("bucket = \"fleet\""), None);
        assert_eq!(of(minio, &[]).shown, "the bucket fleet at https://s3.example:9000");
        let prefix = of("bucket = \"fleet\"\nprefix = \"boot/blobs/\"", &[]).prefix;
        assert_eq!(prefix.as_ref(), "boot/blobs");
    }

    #[test]
    fn the_environment_says_who_it_is_and_nothing_else() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AK"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_ENDPOINT_URL_S3", "http://elsewhere.example"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_SKIP_SIGNATURE", "true"),
            ("PATH", "/bin"),
        ];
        let builder = of("bucket = \"fleet\"", &environment).builder;
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(Key::AccessKeyId).unwrap(), "AK");
        assert_eq!(value(Key::SecretAccessKey).unwrap(), "hush");
        assert_eq!(value(Key::S3Endpoint), None);
        assert_eq!(value(Key::SkipSignature).unwrap(), "false");
    }
}
