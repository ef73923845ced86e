"""Nothing secret comes into a message."""

from __future__ import annotations

import pytest

from edgeseg import stores


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
