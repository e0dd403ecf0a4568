"""Content codings, whole, in crumbs, cut off and hostile."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard

from stages.net.decode import PIECE, BadCoding, decoder

TEXT = b"".join(b"Line %d of a page.\n" % number for number in range(20_000))


def _raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": _raw,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def _unpack(coding: str, data: bytes, step: int) -> bytes:
    state = decoder(coding)
    pieces = [piece for start in range(0, len(data), step) for piece in state.feed(data[start : start + step])]
    state.finish()
    assert all(len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_comes_out_whole_however_it_arrives(coding: str, step: int) -> None:
    assert _unpack(coding, PACKERS[coding](TEXT), step) == TEXT
    assert _unpack(coding, PACKERS[coding](b""), step) == b""


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_several_members_are_one_body(coding: str) -> None:
    assert _unpack(coding, PACKERS[coding](TEXT) * 3, 1000) == TEXT * 3


def test_what_follows_the_last_gzip_member_is_ignored() -> None:
    assert _unpack("gzip", gzip.compress(TEXT) + b"\0\0\0\0 trailing", 1000) == TEXT


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_cut_off_in_the_middle_is_not_taken_for_a_whole_one(coding: str) -> None:
    packed = PACKERS[coding](TEXT)
    with pytest.raises(BadCoding):
        _unpack(coding, packed[: len(packed) // 2], 1000)


@pytest.mark.parametrize("coding", ["gzip, gzip", "br,gzip", "compress", "aes128gcm"])
def test_codings_in_a_row_and_unknown_ones_are_refused(coding: str) -> None:
    with pytest.raises(BadCoding):
        decoder(coding)


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_no_coding_passes_bytes_through(coding: str) -> None:
    assert _unpack(coding, b"plain", 2) == b"plain"
