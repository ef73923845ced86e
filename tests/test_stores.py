"""Nothing secret comes into a message."""

from __future__ import annotations

import pytest

from edgeseg import stores
from edgeseg.errors import StoreError


def test_text_is_freed_of_what_opens_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0LWtleQ==")
    text = "PUT https://me:pw@host/a?sv=1&sig=AbC%2F123&se=2 with c2VjcmV0LWtleQ== and X-Amz-Signature=0123"
    told = stores.without_secrets(text)
    assert not any(secret in told for secret in ("me:pw", "AbC", "c2VjcmV0LWtleQ==", "0123"))
    assert "host/a?sv=1&sig=…&se=2" in told


def test_reason_is_one_line_without_the_librarys_inside() -> None:
    assert stores.reason(ValueError("could not\n  reach it\n\nDebug source:\nGeneric {..}")) == "could not reach it"


def test_memory_store_is_one_store_however_it_is_opened() -> None:
    assert stores.open_store("memory://same", 5, 0) is stores.open_store("memory://same")


def test_each_providers_address_names_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "fleet")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    kinds = {url: type(stores.open_store(url)).__name__ for url in ("s3://b/p", "gs://b/p", "az://c/p", "https://h/p")}
    assert list(kinds.values()) == ["S3Store", "GCSStore", "AzureStore", "HTTPStore"]


def test_what_a_provider_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StoreError, match=r"az://none/p: .*Account must be specified.*set what the provider needs"):
        stores.open_store("az://none/p")
