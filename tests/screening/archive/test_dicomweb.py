"""What a request to a PACS sends, how long it waits, and what it makes of a refusal."""

import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from screening.archive import dicomweb
from screening.archive.dicomweb import NotDicomweb, RequestRefused, answer_to, archive_error, attempted, body_of, resource_of
from screening.errors import UsageError
from tests.web_server import WebServer, serving

FINE = (200, {}, b"[]")


@pytest.fixture(autouse=True)
def nobody_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (dicomweb.USER_VARIABLE, dicomweb.PASSWORD_VARIABLE, dicomweb.TOKEN_VARIABLE, dicomweb.CA_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name + dicomweb.FILE_SUFFIX, raising=False)


def get(server: WebServer, path: str = "/", **options: object) -> bytes:
    with answer_to("GET", f"http://127.0.0.1:{server.port}{path}", accept="a/b", **options) as answer:
        return body_of(answer, 1000)


def test_a_url_names_a_service_and_what_lies_in_it() -> None:
    whole = resource_of("dicomweb://PACS.example.org:80/dicom-web/?Modality=DX")
    assert (whole.name, whole.service, whole.path) == ("pacs.example.org/dicom-web", "http://pacs.example.org/dicom-web", "")
    assert whole.query == "Modality=DX"
    one = resource_of("dicomwebs://h:8443/v1/studies/1.2/series/3.4/instances/5.6")
    assert (one.service, one.study, one.series, one.instance) == ("https://h:8443/v1", "1.2", "3.4", "5.6")
    assert one.path == "/studies/1.2/series/3.4/instances/5.6"
    assert one.name == f"h:8443/v1{one.path}"
    assert resource_of("dicomweb://h/studies/1.2").path == "/studies/1.2"
    assert resource_of("dicomweb://[::1]:8042/a").service == "http://[::1]:8042/a"


def test_a_url_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="SCREENING_DICOMWEB_USER") as caught:
        resource_of("dicomweb://jo:secret@pacs/dicom-web")
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="no host"):
        resource_of("dicomweb:///dicom-web")
    with pytest.raises(UsageError, match="not valid"):
        resource_of("dicomweb://pacs:port/")


def test_the_environment_says_who_asks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(FINE) as server:
        get(server)
        monkeypatch.setenv(dicomweb.USER_VARIABLE, "jo")
        monkeypatch.setenv(dicomweb.PASSWORD_VARIABLE, "secret")
        get(server)
        (tmp_path / "token").write_text("abc\n")
        monkeypatch.setenv(dicomweb.TOKEN_VARIABLE + dicomweb.FILE_SUFFIX, str(tmp_path / "token"))
        get(server)
        (tmp_path / "token").write_text("def\n")  # renewed in the middle of the night
        get(server)
        (tmp_path / "token").unlink()
        with pytest.raises(UsageError, match="SCREENING_DICOMWEB_TOKEN_FILE"):
            get(server)
    sent = [headers.get("Authorization") for _, headers, _ in server.requests]
    assert sent == [None, "Basic am86c2VjcmV0", "Bearer abc", "Bearer def"]


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (401, PermissionError, "SCREENING_DICOMWEB_USER"),
        (403, PermissionError, "rights"),
        (404, FileNotFoundError, "give its root"),
        (410, FileNotFoundError, "give its root"),
        (302, RequestRefused, "HTTP status 302"),
        (400, RequestRefused, "HTTP status 400"),
        (503, ConnectionError, "HTTP status 503"),
        (429, ConnectionError, "HTTP status 429"),
    ],
)
def test_a_status_is_an_error_with_a_remedy(status: int, error: type[OSError], remedy: str) -> None:
    with serving((status, {"Location": "http://127.0.0.1:1/"}, b"no")) as server, pytest.raises(error) as caught:
        get(server)
    explained = str(archive_error("dicomweb://pacs/dicom-web?PatientID=1", caught.value))
    assert remedy in explained
    assert "the PACS dicomweb://pacs/dicom-web " in explained


def test_a_silent_server_costs_the_time_that_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(TimeoutError) as caught:
            get(WebServer(listener.getsockname()[1], []), read_seconds=0.2)
        assert "does not answer in time" in str(archive_error("dicomweb://pacs", caught.value))
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionError) as caught:
        get(WebServer(port, []))
    assert "cannot be reached" in str(archive_error("dicomweb://pacs", caught.value))


def test_an_answer_that_breaks_off_or_is_too_long_is_no_answer() -> None:
    with serving((200, {"Content-Length": "100"}, b"short")) as server, pytest.raises(ConnectionError):
        get(server)
    with serving((200, {}, bytes(2000))) as server, pytest.raises(NotDicomweb):
        get(server)


def test_attempts_end_where_another_would_end_in_the_same_way() -> None:
    with serving((503, {}, b""), (503, {}, b""), FINE) as server:
        assert attempted(lambda: get(server)) == b"[]"
        assert len(server.requests) == 3
    with serving((503, {}, b"")) as server, pytest.raises(ConnectionError):
        attempted(lambda: get(server))
    assert len(server.requests) == dicomweb.ATTEMPTS
    with serving((401, {}, b"")) as server, pytest.raises(PermissionError):
        attempted(lambda: get(server))
    assert len(server.requests) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Path]:
    """A certificate for 127.0.0.1 that only itself vouches for, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pacs")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "certificate").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "certificate"


def test_a_certificate_is_checked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key"))
    with serving(FINE, context=context) as server:
        url = f"https://127.0.0.1:{server.port}/"
        with pytest.raises(ssl.SSLError) as caught, answer_to("GET", url, accept="a/b"):
            pass
        assert dicomweb.CA_FILE_VARIABLE in str(archive_error("dicomwebs://pacs", caught.value))
        monkeypatch.setenv(dicomweb.CA_FILE_VARIABLE, str(certificate))
        with answer_to("GET", url, accept="a/b") as answer:
            assert body_of(answer, 10) == b"[]"
        monkeypatch.setenv(dicomweb.CA_FILE_VARIABLE, str(certificate.with_name("key")))
        with pytest.raises(UsageError, match="certificates"), answer_to("GET", url, accept="a/b"):
            pass
