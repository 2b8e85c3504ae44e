"""Where a server leads a download: to other hosts, in circles, to what is not protected; and whether it is who it says."""

from __future__ import annotations

import subprocess

import pytest
from file_server import DATA, FILE, Fault, FileServer, Served, arrived

from trax.errors import ModelError, ModelUnreachable
from trax.models.download import client


class TestRedirects:
    def test_are_followed_to_another_host_without_the_token(self, server, get):
        server.files["/cdn"] = Served(DATA)
        server.redirects |= {FILE: "/moved", "/moved": server.address("/cdn?key=secret", host="localhost")}
        server.files["/cdn?key=secret"] = server.files["/cdn"]
        arrived(get(token="hush"), DATA)
        assert [headers.get("authorization") for _, headers in server.asked] == ["Bearer hush", "Bearer hush", None]

    def test_keep_the_range(self, server, get):
        server.files["/cdn"] = Served(DATA)
        server.redirects[FILE] = server.address("/cdn", host="localhost")
        server.faults.extend([None, Fault(cut=500_000)])
        arrived(get(), DATA)
        assert [(path, headers.get("range")) for path, headers in server.asked[2:]] == [(FILE, "bytes=500000-"), ("/cdn", "bytes=500000-")]

    def test_do_not_tell_the_key_in_an_address(self, server, get):
        server.redirects[FILE] = "/cdn?key=secret"
        with pytest.raises(ModelError, match="/cdn ") as caught:
            get()
        assert "secret" not in str(caught.value)

    def test_in_a_circle_end(self, server, get):
        server.redirects[FILE] = FILE
        with pytest.raises(ModelError, match="never to a file"):
            get()

    def test_to_what_cannot_be_fetched_are_refused(self, server, get):
        server.redirects[FILE] = "ftp://127.0.0.1/model.bin"
        with pytest.raises(ModelError, match="cannot be fetched"):
            get()


class TestProtected:
    @pytest.fixture
    def certificate(self, tmp_path):
        """A certificate for localhost that nobody signed but itself, with its key."""
        path = tmp_path / "certificate.pem"
        asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        asked += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "key.pem"), "-out", str(path)]
        try:
            subprocess.run(asked, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("no openssl to make a certificate with")
        path.write_bytes(path.read_bytes() + (tmp_path / "key.pem").read_bytes())
        return str(path)

    @pytest.fixture
    def protected(self, certificate):
        server = FileServer(certificate)
        yield server
        server.stop()

    def test_an_authority_of_ones_own_is_named_in_the_environment(self, protected, get, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        protected.files[FILE] = Served(DATA)
        arrived(get(address=protected.address(FILE, host="localhost")), DATA)

    def test_a_server_that_cannot_prove_who_it_is_gets_no_second_chance(self, protected, get, watcher):
        with pytest.raises(ModelUnreachable, match=r"cannot prove that it is localhost.*SSL_CERT_FILE"):
            get(address=protected.address(FILE, host="localhost"))
        assert watcher.waits == []

    def test_a_way_down_to_an_open_address_is_refused(self, protected, server, get, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        server.files[FILE] = Served(DATA)
        protected.redirects[FILE] = server.address(FILE)
        with pytest.raises(ModelError, match="not protected"):
            get(address=protected.address(FILE, host="localhost"))
        assert server.asked == []


def test_an_environment_that_cannot_be_used_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ModelError, match="SSL_CERT_FILE"):
        client()
