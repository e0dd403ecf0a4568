"""What is seen has its name in one place, and the document says the same."""

from __future__ import annotations

import re

from observability.names import METRICS, Attribute, Event, Span
from tests.architecture.source import product_files
from tools.catalogue import DOCUMENT, MARK, render


def test_the_document_lists_every_event_span_attribute_and_metric_with_its_meaning() -> None:
    written = DOCUMENT.read_text(encoding="utf-8").partition(f"{MARK}\n")[2]
    assert written == render(), "run `just catalogue`"


def test_every_span_and_attribute_of_the_catalogue_is_used() -> None:
    product = "".join(path.read_text(encoding="utf-8") for path in product_files())
    names = [f"{kind.__name__}.{each.name}" for kind in (Span, Attribute) for each in kind]
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", product)] == []


def test_names_are_in_the_form_that_their_readers_expect() -> None:
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", each) for each in Event)
    assert all(re.fullmatch(r"[a-z_]+\.?", each) for each in Span)
    assert all(re.fullmatch(r"atlas_[a-z_]+[a-z]", each.name) for each in METRICS)
    assert all(each.name.endswith("_total") == (each.kind == "counter") for each in METRICS)
    assert all(each.name.endswith("_seconds") for each in METRICS if each.unit == "seconds")
    assert all(each.name.endswith("_bytes") for each in METRICS if each.unit == "bytes")
    assert all(each.meaning.endswith(".") for each in METRICS)


def test_no_label_of_a_metric_grows_with_what_is_kept() -> None:
    labels = {label for each in METRICS for label in each.labels}
    assert labels & {"host", "url", "item", "item_id", "feed", "domain", "site", "path", "user"} == set()
    assert labels & {"job", "instance"} == set(), "Prometheus keeps these for itself"


def test_no_file_is_given_a_name_that_the_catalogue_does_not_know() -> None:
    """Spans and log events by members of the catalogue; metrics by the instruments made of it."""
    known = {each.name for each in METRICS}
    for path in product_files():
        if path.name == "names.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"trace\.(span|ended)\(\s*[\"'f]", text), path
        assert not re.search(r"\blog(ger)?\.(debug|info|warning|error|critical)\(\s*f?[\"']", text), path
        assert set(re.findall(r"[\"'](atlas_[a-z_]+_(?:total|seconds|bytes))[\"']", text)) <= known, path
