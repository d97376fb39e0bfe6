import urllib.request

import pytest
import torch


@pytest.fixture
def no_connection(monkeypatch, tmp_path):
    """An empty weights cache, and every address out of reach."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would remember the proxies for the tests that follow
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    return tmp_path
