"""Archives are hostile: nothing leads out of them, nothing is written, and nothing grows without bound."""

import hashlib
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from archive_makers import tar_of, tar_with, zip_of

from terminology.importing.archives import LIMITS, Limits, Meter, files
from terminology.issues import Invalid

CONTENT = {"package/a.json": b"a" * 700, "package/b.json": b"", "package/deep/c.json": b"c" * 512}


def held(path, limits=LIMITS, meter=None):
    return {file.name: file.read() for file in files(path, lambda _: True, limits, meter)}


def refused(path, limits=LIMITS):
    with pytest.raises(Invalid) as raised:
        held(path, limits)
    return raised.value.issues[0].message_id


def snapshot(folder):
    """Everything in a folder, with its content."""
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


@pytest.fixture(params=["zip", "tar", "tgz", "ustar", "gnu"])
def archive(request, tmp_path):
    """archive({name: content}): the path of an archive of each kind."""
    folder = tmp_path / "archives"
    folder.mkdir()

    def made(members):
        match request.param:
            case "zip":
                return zip_of(folder / "it.zip", members)
            case "tar":
                return tar_of(folder / "it.tar", members, mode="w")
            case "ustar":
                return tar_of(folder / "it.tgz", members, form=tarfile.USTAR_FORMAT)
            case "gnu":
                return tar_of(folder / "it.tgz", members, form=tarfile.GNU_FORMAT)
            case _:
                return tar_of(folder / "it.tgz", members)

    return made


def test_the_members_of_an_archive_are_read(archive):
    assert held(archive(CONTENT)) == CONTENT


def test_only_wanted_members_are_handed_over(archive):
    found = [file.name for file in files(archive(CONTENT), lambda name: name.endswith("b.json"))]
    assert found == ["package/b.json"]


def test_a_member_that_is_not_read_is_passed_over(archive):
    assert [file.name for file in files(archive(CONTENT), lambda _: True)] == list(CONTENT)


def test_a_folder_is_read_without_following_links(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"a")
    (tmp_path / "secret.json").write_bytes(b"secret")
    (tmp_path / "in" / "link.json").symlink_to(tmp_path / "secret.json")
    assert held(tmp_path / "in") == {"a.json": b"a"}


def test_a_single_file_is_read_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"code\n")
    assert held(tmp_path / "a.csv") == {"a.csv": b"code\n"}


def test_progress_ends_at_the_size_of_the_source(archive):
    meter = Meter()
    path = archive({"a": os.urandom(200_000)})
    for _ in range(2):
        held(path, meter=meter)
    assert meter.size == path.stat().st_size
    assert 0.9 * meter.size <= meter.read


@pytest.mark.parametrize(
    "name",
    ["../outside.json", "package/../../outside.json", "/etc/outside.json", "..", "C:\\outside.json", "c:/x.json",
     "package\\..\\outside.json", "../package-evil/a.json", "a/b/../../../c"],
)  # fmt: skip
def test_a_name_that_leads_out_refuses_the_archive(archive, name, tmp_path):
    path = archive({"package/a.json": b"{}", name: b"{}"})
    before = snapshot(tmp_path)
    assert refused(path) == "OWN_ARCHIVE_NAME"
    assert snapshot(tmp_path) == before


def test_a_sibling_prefix_is_no_member_of_the_folder(archive):
    path = archive({"package-evil/a.json": b"{}", "package/b.json": b"{}"})
    assert [file.name for file in files(path, lambda name: name.startswith("package/"))] == ["package/b.json"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"]
)
def test_a_link_or_device_in_a_tar_refuses_it(tmp_path, kind):
    link = tarfile.TarInfo("package/link.json")
    link.type = kind
    link.linkname = "/etc/passwd"
    path = tar_with(tmp_path / "it.tgz", [(link, b"")])
    assert refused(path) in ("OWN_ARCHIVE_LINK", "OWN_ARCHIVE_BROKEN")


def test_a_link_in_a_zip_refuses_it(tmp_path):
    assert refused(zip_of(tmp_path / "it.zip", {"link": b"/etc/passwd"}, kind=stat.S_IFLNK)) == "OWN_ARCHIVE_LINK"


def test_an_encrypted_member_refuses_a_zip(tmp_path):
    path = zip_of(tmp_path / "it.zip", {"a": b"a"})
    body = bytearray(path.read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(body))
    assert refused(path) == "OWN_ARCHIVE_LOCKED"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_longer_than_a_header_is_read(tmp_path, form):
    name = "/".join(["folder" * 5] * 6) + "/ü.json"
    assert held(tar_of(tmp_path / "it.tgz", {name: b"{}", "a": b"a"}, form=form)) == {name: b"{}", "a": b"a"}


# --- broken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_a_truncated_archive_is_refused(archive, share):
    path = archive({f"package/{number}.json": os.urandom(3_000) for number in range(20)})
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    assert refused(path) == "OWN_ARCHIVE_BROKEN"


def test_a_tar_without_its_end_is_cut_short(tmp_path):
    path = tar_of(tmp_path / "it.tar", {"a": b"a" * 512, "b": b"b" * 512}, mode="w", form=tarfile.USTAR_FORMAT)
    path.write_bytes(path.read_bytes()[:1024])
    assert refused(path) == "OWN_ARCHIVE_BROKEN"


def test_a_changed_byte_in_a_zip_is_noticed(tmp_path):
    path = zip_of(tmp_path / "it.zip", {"a": os.urandom(3_000)})
    body = bytearray(path.read_bytes())
    body[500] ^= 1
    path.write_bytes(bytes(body))
    assert refused(path) == "OWN_ARCHIVE_BROKEN"


@pytest.mark.parametrize("header", [b"8 path=a\n", b"x path=a\n", b"12 size=-1\n\0", b"99999999 path=a\n"])
def test_a_wrong_pax_header_refuses_the_archive(tmp_path, header):
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    path = tar_with(tmp_path / "it.tgz", [(info, header), (tarfile.TarInfo("a"), b"a")], form=tarfile.USTAR_FORMAT)
    assert refused(path) == "OWN_ARCHIVE_BROKEN"


def test_a_pax_header_without_bound_is_refused(tmp_path):
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    path = tar_with(tmp_path / "it.tgz", [(info, b"0" * (2 << 20))], form=tarfile.USTAR_FORMAT)
    assert refused(path) in ("OWN_ARCHIVE_MEMBER", "OWN_ARCHIVE_RATIO")


def test_what_is_missing_is_refused(tmp_path):
    assert refused(tmp_path / "nothing.tgz") == "OWN_ARCHIVE_BROKEN"


# --- limits, each just under and just over ---------------------------------------------------------------------


@pytest.mark.parametrize(("number", "fits"), [(5, True), (6, False)])
def test_the_number_of_members_is_bounded(archive, number, fits):
    path = archive({f"{each}.json": b"x" for each in range(number)})
    limits = replace(LIMITS, members=5)
    if fits:
        assert len(held(path, limits)) == number
    else:
        assert refused(path, limits) == "OWN_ARCHIVE_MEMBERS"


@pytest.mark.parametrize(("size", "fits"), [(4_096, True), (4_097, False)])
def test_what_is_read_into_memory_is_bounded(archive, size, fits):
    path = archive({"a": os.urandom(size)})
    limits = replace(LIMITS, member=4_096)
    if fits:
        assert len(held(path, limits)["a"]) == size
    else:
        assert refused(path, limits) == "OWN_ARCHIVE_MEMBER"


@pytest.mark.parametrize(("size", "fits"), [(30_000, True), (70_000, False)])
def test_what_an_archive_unpacks_to_is_bounded(archive, size, fits):
    path = archive({"a": os.urandom(size), "b": os.urandom(size)})
    limits = replace(LIMITS, total=120_000)
    if fits:
        assert len(held(path, limits)) == 2
    else:
        assert refused(path, limits) == "OWN_ARCHIVE_TOTAL"


def test_the_total_is_exact_for_a_zip(tmp_path):
    path = zip_of(tmp_path / "it.zip", {"a": os.urandom(500), "b": os.urandom(500)})
    assert len(held(path, replace(LIMITS, total=1_000))) == 2
    assert refused(path, replace(LIMITS, total=999)) == "OWN_ARCHIVE_TOTAL"


def test_a_bomb_of_a_thousand_to_one_stops_at_the_limit(tmp_path):
    for path in (
        zip_of(tmp_path / "bomb.zip", {"a": bytes(20 << 20)}),
        tar_of(tmp_path / "bomb.tgz", {"a": bytes(20 << 20)}),
    ):
        assert refused(path) == "OWN_ARCHIVE_RATIO"


@pytest.mark.parametrize(("ratio", "fits"), [(1_000, True), (100, False)])
def test_the_ratio_is_bounded(tmp_path, ratio, fits):
    path = zip_of(tmp_path / "it.zip", {"a": (b"0123456789" * 30_000)})
    limits = Limits(ratio=ratio, small=0)
    assert (len(held(path, limits)) == 1) if fits else (refused(path, limits) == "OWN_ARCHIVE_RATIO")


def test_the_published_limits():
    assert (LIMITS.members, LIMITS.member, LIMITS.total, LIMITS.ratio) == (100_000, 64 << 20, 2 << 30, 100)


def test_a_path_is_never_made_of_a_members_name(tmp_path):
    path = tar_of(tmp_path / "it.tgz", {"a/b/c.json": b"{}"})
    held(path)
    assert [each.name for each in Path(tmp_path).iterdir()] == ["it.tgz"]
