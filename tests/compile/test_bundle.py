"""A bundle is loaded whole, from a folder of one's own, for what it was made for, or not at all."""

import tarfile

import pytest

from hotloop.compile.bundle import BundleError, BundleKey, check_bundle, load_bundle, save_bundle
from hotloop.compile.bundle_folder import (
    export_bundle,
    import_bundle,
    list_bundles,
    prune_bundles,
    unreadable_bundles,
)

KEY = BundleKey(
    workload="train.py", source="ab", plan="compile", torch="2.13.0", compiler="g++", cpu="Example avx2", threads=2
)


@pytest.fixture
def tree(tmp_path):
    """Cache folders as inductor fills them, a lock among them."""
    place = tmp_path / "caches"
    for name, content in (
        ("inductor/ab/cabc.so", b"\x7fELF"),
        ("inductor/fxgraph/x", b"graph"),
        ("inductor/locks/l", b""),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "compiled"


@pytest.fixture
def bundle(tree, folder):
    save_bundle(KEY, tree, folder / KEY.digest)
    return folder / KEY.digest


def test_what_is_saved_is_loaded_elsewhere_without_the_locks(bundle, tmp_path):
    manifest = load_bundle(bundle, KEY, tmp_path / "other" / "place")
    assert set(manifest.files) == {"inductor/ab/cabc.so", "inductor/fxgraph/x"}
    assert (tmp_path / "other/place/inductor/ab/cabc.so").read_bytes() == b"\x7fELF"
    assert not (tmp_path / "other/place/inductor/locks").exists()


@pytest.mark.parametrize("change", [{"source": "cd"}, {"torch": "2.14.0"}, {"cpu": "Other"}, {"threads": 1}])
def test_what_was_made_for_something_else_is_refused_by_name(bundle, change):
    other = KEY.model_copy(update=change)
    assert other.digest != KEY.digest
    with pytest.raises(BundleError, match=f"was made for something else: {next(iter(change))} differ"):
        check_bundle(bundle, other)


def test_one_flipped_bit_anywhere_is_noticed(bundle):
    for path in [path for path in bundle.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            if path.name == "manifest.json":
                try:
                    assert check_bundle(bundle, KEY).files  # only where the bit says nothing that is believed
                except BundleError:
                    continue
            else:
                with pytest.raises(BundleError, match="is not what its checksum says"):
                    check_bundle(bundle, KEY)
        path.write_bytes(content)
    check_bundle(bundle, KEY)


def test_a_file_more_or_less_is_noticed(bundle):
    (bundle / "tree/inductor/new.so").write_bytes(b"")
    with pytest.raises(BundleError, match=r"inductor/new\.so .* is not what its checksum says"):
        check_bundle(bundle)
    (bundle / "tree/inductor/new.so").unlink()
    (bundle / "tree/inductor/ab/cabc.so").unlink()
    with pytest.raises(BundleError, match=r"inductor/ab/cabc\.so .* is not what its checksum says"):
        check_bundle(bundle)


def test_what_others_can_write_and_links_are_refused(bundle, tmp_path):
    code = bundle / "tree/inductor/ab/cabc.so"
    code.chmod(0o666)
    with pytest.raises(BundleError, match="others can write it"):
        check_bundle(bundle)
    elsewhere = tmp_path / "elsewhere.so"
    elsewhere.write_bytes(code.read_bytes())
    code.unlink()
    code.symlink_to(elsewhere)
    with pytest.raises(BundleError, match="is a link"):
        check_bundle(bundle)


def test_nothing_compiled_is_nothing_kept(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="nothing was compiled"):
        save_bundle(KEY, tmp_path / "empty", folder / KEY.digest)
    assert list_bundles(folder) == []


def test_a_newer_manifest_is_refused_and_left_as_it_is(bundle):
    manifest = bundle / "manifest.json"
    newer = manifest.read_text().replace('"schema": 1', '"schema": 2')
    manifest.write_text(newer)
    with pytest.raises(BundleError, match="of another version of hotloop"):
        check_bundle(bundle)
    assert manifest.read_text() == newer


def test_an_archive_brings_a_bundle_to_another_folder(bundle, folder, tmp_path):
    export_bundle(folder, KEY.digest[:6], tmp_path / "bundle.tar")
    import_bundle(tmp_path / "new", tmp_path / "bundle.tar")
    (found,) = list_bundles(tmp_path / "new")
    assert found.key == KEY
    check_bundle(tmp_path / "new" / KEY.digest, KEY)


def test_an_archive_that_was_tampered_with_adds_nothing(bundle, folder, tmp_path):
    export_bundle(folder, KEY.digest, tmp_path / "bundle.tar")
    content = (tmp_path / "bundle.tar").read_bytes()
    (tmp_path / "bundle.tar").write_bytes(content.replace(b"\x7fELF", b"\x7fELG"))
    with pytest.raises(BundleError, match="is not what its checksum says"):
        import_bundle(tmp_path / "new", tmp_path / "bundle.tar")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_archive_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.add(tmp_path / "x", arcname="../../outside")
    with pytest.raises(BundleError, match="cannot read"):
        import_bundle(tmp_path / "deep" / "new", tmp_path / "bad.tar")
    assert not (tmp_path / "outside").exists()


def test_unknown_and_ambiguous_names_list_what_there_is(bundle, folder, tmp_path):
    for name in ("", "zz"):
        with pytest.raises(BundleError, match=f"there are: {KEY.digest}"):
            export_bundle(folder, name, tmp_path / "bundle.tar")


def test_the_oldest_go_first_and_what_cannot_be_read_too(tree, folder):
    keys = [KEY.model_copy(update={"source": str(number)}) for number in range(3)]
    sizes = [save_bundle(key, tree, folder / key.digest).num_bytes for key in keys]
    (folder / "unreadable").mkdir()
    assert list(unreadable_bundles(folder)) == ["unreadable"]
    removed = prune_bundles(folder, most_bytes=2 * sizes[0])
    assert [manifest.key for manifest in removed] == keys[:1]
    assert [manifest.key for manifest in list_bundles(folder)] == keys[1:]
    assert not (folder / "unreadable").exists()
