"""The multipart form of an upload, taken apart however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayhound.domain import BadRequest
from rayhound.server.form import Form, boundary_of
from rayhound.server.images import disposition


def part(name: str, content: bytes, extra: bytes = b"") -> bytes:
    return b'--X\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), extra, content)


def parse(*pieces: bytes) -> tuple[bytes, str | None]:
    kept: list[bytes] = []
    form = Form("X", kept.append)
    for piece in pieces:
        form.feed(piece)
    form.close()
    return b"".join(kept), form.file_name


@given(st.binary(max_size=300), st.lists(st.integers(0, 500), max_size=20))
def test_the_image_comes_out_as_it_went_in_wherever_the_stream_is_cut(content: bytes, cuts: list[int]) -> None:
    body = (
        part("note", b"skipped") + part("image", content, b'; filename="a.jpg"') + part("x", b"skipped") + b"--X--\r\n"
    )
    if b"\r\n--X" in content:
        return
    places = [0, *sorted(cuts), len(body)]
    assert parse(*(body[a:b] for a, b in pairwise(places))) == (content, "a.jpg")


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        (b'; filename="cat.jpg"', "cat.jpg"),
        (b'; filename="../../etc/cat.jpg"', "cat.jpg"),
        (b'; filename="C:\\\\pictures\\\\cat.jpg"', "cat.jpg"),
        ('; filename="katze äöü 猫.jpg"'.encode(), "katze äöü 猫.jpg"),
        ('; filename="käse.jpg"'.encode("latin-1"), "käse.jpg"),
        (b"; filename=\"x.jpg\"; filename*=UTF-8''na%C3%AFve%20cat.jpg", "naïve cat.jpg"),
        (b"; filename*=UTF-8''..%2F..%2Fcat.jpg", "cat.jpg"),
        (b"; filename=\"a; filename*=UTF-8''b.jpg\"", "a; filename*=UTF-8''b.jpg"),
        (b'; filename="' + b"n" * 300 + b'.jpg"', "n" * 255),
        (b'; filename=""', None),
        (b'; filename="folder/"', None),
        (b"", None),
    ],
)
def test_the_file_name_is_the_senders_without_folders(extra: bytes, name: str | None) -> None:
    assert parse(part("image", b"pixels", extra), b"--X--")[1] == name


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (part("file", b"x") + b"--X--", "no part named 'image'"),
        (part("image", b"x") + part("image", b"y") + b"--X--", "two parts named 'image'"),
        (part("image", b"x"), "ends before its last boundary"),
        (b"no form at all", "ends before its last boundary"),
        (b"--X\r\nnonsense\r\n\r\n\r\n--X--", "malformed"),
        (part("x", b"") * 101 + b"--X--", "malformed"),
        (b"--X\r\n" + b"h" * 5000, "malformed"),
        (b"", "ends before its last boundary"),
    ],
)
def test_a_form_without_exactly_one_whole_image_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint) as refused:
        parse(body)
    assert refused.value.hint


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "image/jpeg",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_a_content_type_without_a_boundary_is_refused_with_an_example(content_type: str) -> None:
    with pytest.raises(BadRequest) as refused:
        boundary_of(content_type)
    assert "curl -F image=@cat.jpg" in refused.value.hint


def test_a_boundary_may_be_quoted() -> None:
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="a b"') == "a b"


@given(st.text(max_size=300))
def test_no_name_breaks_out_of_the_content_disposition(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.startswith('attachment; filename="')
