"""What the environment says of a bucket, and what an S3 server's refusals mean; no server needed."""

from typing import Any

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from rayhound.adapters.bucket import Manners, bucket, sources
from rayhound.adapters.refusals import away, explained, refusal
from rayhound.domain import InDoubt, Misconfigured, StorageFull, Unavailable

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush"}
WHERE = "http://127.0.0.1:9/b/keys/a.json"


@pytest.mark.parametrize(
    ("url", "name", "prefix"),
    [("s3://images", "images", ""), ("s3://images/", "images", ""), ("s3://my.images/a/b/", "my.images", "a/b")],
)
def test_a_url_names_a_bucket_and_a_folder_in_it(url: str, name: str, prefix: str) -> None:
    one = bucket(url, {})
    assert (one.name, one.prefix) == (name, prefix)


@pytest.mark.parametrize(
    "url", ["s3://", "s3://B", "file:///x", "s3://ok/a//b", "s3://ok/../x", "s3://ok/.x", "s3://ok?x"]
)
def test_what_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="names no bucket") as told:
        bucket(url, {})
    assert "s3://bucket/prefix" in told.value.hint


def test_an_empty_name_is_told_and_not_taken_for_a_default() -> None:
    with pytest.raises(Misconfigured, match="AWS_ENDPOINT_URL is empty"):
        bucket("s3://images", {"AWS_ENDPOINT_URL": ""})


def test_half_a_pair_of_keys_is_refused() -> None:
    with pytest.raises(Misconfigured, match="SecretAccessKey"):
        bucket("s3://images", {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}).open(Manners(retries=0))


def test_certificates_that_cannot_be_read_are_told(tmp_path: object) -> None:
    with pytest.raises(Misconfigured, match="AWS_CA_BUNDLE"):
        bucket("s3://images", KEYS | {"AWS_CA_BUNDLE": f"{tmp_path}/none.pem"}).open(Manners(retries=0))


def test_plain_http_is_allowed_where_the_endpoint_says_so_alone() -> None:
    for endpoint, plain in (("http://127.0.0.1:9000", "true"), ("https://storage.example", "false")):
        store = bucket("s3://images", KEYS | {"AWS_ENDPOINT_URL": endpoint}).open(Manners(retries=0))
        options: dict[str, Any] = dict(store.client_options or {})
        assert options["allow_http"] == plain


@pytest.mark.parametrize(
    ("environment", "credentials"),
    [
        (KEYS, "environment variable AWS_ACCESS_KEY_ID"),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"},
            "web identity, environment variable AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
        (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/token",
            },
            "container credentials, environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
        (
            {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials"},
            "container credentials, environment variable AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, "instance metadata"),
        ({"AWS_SKIP_SIGNATURE": "true"}, "none, as environment variable AWS_SKIP_SIGNATURE says"),
        ({}, "instance metadata"),
    ],
)
def test_sources_say_whose_credentials_are_used(environment: dict[str, str], credentials: str) -> None:
    assert sources(environment)["credentials"] == credentials


def test_sources_say_where_the_rest_comes_from_and_never_a_secret() -> None:
    told = sources(
        KEYS | {"AWS_ENDPOINT": "http://x:9", "AWS_ENDPOINT_URL": "http://y:9", "AWS_DEFAULT_REGION": "eu-north-1"}
    )
    assert told["endpoint"] == "environment variable AWS_ENDPOINT_URL"
    assert told["region"] == "environment variable AWS_DEFAULT_REGION"
    assert told["certificates"] == "the system's"
    assert "hush" not in str(told)
    assert sources({})["endpoint"] == "AWS's own for the region"


def status(number: int, method: str = "PUT", uri: str = WHERE, again: str = "") -> GenericError:
    """An error of obstore for an answer with this status, as it words it."""
    words = f"{number} Some Reason: <Error><Code>Odd</Code><Message>as\nasked</Message></Error>"
    return GenericError(
        f"Generic S3 error: Error performing {method} {uri} in 1.2ms{again} - "
        f"Server returned non-2xx status code: {words}\n\nDebug source:\nstatus: 400"
    )


AGAIN = ", after 1 retries, max_retries: 3, retry_timeout: 30s "


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (status(400), Unavailable),
        (status(499), Unavailable),
        (status(400, again=AGAIN), InDoubt),
        (status(399), InDoubt),
        (status(500), InDoubt),
        (status(403, "POST", WHERE + "?uploads="), Unavailable),
        (status(403, "PUT", WHERE + "?partNumber=1&uploadId=x"), Unavailable),
        (status(403, "POST", WHERE + "?uploadId=x"), InDoubt),
        (status(404, "DELETE", WHERE + "?uploadId=x"), InDoubt),
        (GenericError("words that nobody foresaw, with a status code: 400"), InDoubt),
        (ValueError("nor these"), InDoubt),
    ],
)
def test_only_a_4xx_to_what_was_sent_once_and_completed_nothing_is_sure(error: Exception, raised: type) -> None:
    assert type(explained(error, "images", "store keys/a.json")) is raised
    assert type(away(error, "images", "give keys/a.json")) is Unavailable


def test_a_refusal_is_told_in_one_line() -> None:
    told = explained(status(400), "images", "store keys/a.json")
    assert told.detail == "the bucket images would not store keys/a.json: 400 Odd: as asked"


def test_a_full_bucket_is_told_from_others() -> None:
    text = str(status(403)).replace("Odd", "QuotaExceeded")
    assert type(explained(PermissionDeniedError(text), "images", "store keys/a.json")) is StorageFull


def test_missing_credentials_are_told_as_such() -> None:
    for uri in ("http://169.254.169.254/latest/api/token", "REDACTED"):
        told = explained(status(403, uri=uri), "images", "store keys/a.json")
        assert type(told) is InDoubt, "it may be the abort of an image in parts that lacks them"
        assert "no credentials: 403" in told.detail
        assert "AWS_ACCESS_KEY_ID" in told.hint


def test_only_NoSuchKey_makes_a_key_missing() -> None:
    text = str(status(404, "GET"))
    assert not refusal(FileNotFoundError(text)).missing
    assert not refusal(FileNotFoundError(text.replace("Odd", "NoSuchBucket"))).missing
    assert refusal(FileNotFoundError(text.replace("Odd", "NoSuchKey"))).missing
