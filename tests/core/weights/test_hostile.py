"""Files made to harm: one clear line within two seconds, without the time, memory and calls that they ask for."""

from __future__ import annotations

import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.checkpoint import read_checkpoint
from safetensors.torch import save_file
from support.pickled_files import GOOD, archive, called, legacy, mapping, number, numbers, storage, symbol, tensor, text

LIMIT = 2.0  # seconds of this process
LONGEST = 300  # characters beside a short path


def refusal(path: Path) -> str:
    """The one line that refuses a file, without its path."""
    started = time.process_time()
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert time.process_time() - started < LIMIT
    message = str(caught.value).replace(str(path), path.name)
    assert message.isprintable() and len(message) <= LONGEST and path.name in message
    return message


def test_the_files_that_follow_are_good_but_for_one_thing(tmp_path: Path) -> None:
    for path in (archive(tmp_path / "a.pth", GOOD), legacy(tmp_path / "b.pth", GOOD)):
        assert torch.equal(read_checkpoint(path).components["generator"]["w"], torch.zeros(4))


def doubled(times: int, pair: bytes) -> bytes:
    """A value that holds itself twice, again and again: 2**times in a walk that forgets."""
    return b"".join(b"q\x00h\x00" + pair for _ in range(times))


OUTSIDE = mapping({"w": tensor((5,))})
PICKLES: dict[str, tuple[bytes, str]] = {
    "tuple_as_key": (b"}(" + b")" + doubled(40, b"\x86") + text("x") + b"u", "keys other than texts"),
    "tensor_as_key": (b"}(" + tensor((4,)) + text("x") + b"u", "keys other than texts"),
    "large_number_as_key": (b"}(\x8a\x09" + bytes(8) + b"\x01" + text("x") + b"u", "keys other than texts"),
    "float_as_key": (b"}(G" + bytes(8) + text("x") + b"u", "keys other than texts"),
    "long_key": (mapping({"k" * 2000: number(1)}), "has 2000 characters"),
    "long_name": (symbol("a" * 16000, "b") + b"0" + GOOD, "more than 256 bytes"),
    "long_name_on_stack": (text("a" * 3000) + text("b") + b"\x93", "more than 256 characters"),
    "byte_array": (mapping({"x": called(symbol("builtins", "bytearray"), number(2 * 10**9))}), "builtins.bytearray"),
    "byte_array_8": (b"\x96" + struct.pack("<Q", 2) + b"ab", "builtins.bytearray"),
    "codecs": (mapping({"x": called(symbol("_codecs", "encode"), text("a"), text("hex"))}), "_codecs.encode"),
    "range": (mapping({"x": called(symbol("builtins", "range"), number(10**9))}), "builtins.range"),
    "instance": (b"(ios\nsystem\n0" + GOOD, "os.system"),
    "object": (b"(" + symbol("os", "system") + text("true") + b"o0" + GOOD, "os.system"),
    "new_object": (symbol("subprocess", "Popen") + b")\x810" + GOOD, "subprocess.Popen"),
    "keywords": (symbol("builtins", "exec") + b")}\x920" + GOOD, "builtins.exec"),
    "extension": (b"\x82\x01" + GOOD, "0x82"),
    "persistent_text": (b"Px\n" + GOOD, "0x50"),
    "attributes": (symbol("collections", "OrderedDict") + b")R" + mapping({"items": number(5)}) + b"b", "no network"),
    "attributes_of_a_number": (number(1) + b"}b", "has none"),
    "call_of_a_number": (number(1) + b")R", "no function"),
    "steps": (b"}0" * 300_000 + GOOD, "steps"),
    "marks": (b"(" * 600_000, "levels deep"),
    "deep": (b"]" * 90_000 + b"a" * 89_999, "holds a list"),
    "waiting": (b"]" * 200_000, "lying about"),
    "endless_list": (b"]q\x00h\x00a", "holds a list"),
    "huge_number": (b"\x8b" + struct.pack("<i", 10**6) + bytes(10**6), "more than 255 bytes"),
    "no_stop": (b"}" * 10 + b"\x8c\xff", "ends too early"),
    "empty_stack": (b"RRR", "more values than it has"),
    "no_mark": (b"t", "no mark"),
    "forgotten": (b"h\x07", "not remembered"),
    "odd": (b"}(" + text("x") + b"u", "key without a value"),
    "outside": (mapping({"generator": OUTSIDE}), "beyond its storage"),
    "offset": (mapping({"generator": mapping({"w": tensor((4,), offset=1)})}), "beyond its storage"),
    "negative_offset": (mapping({"generator": mapping({"w": tensor((1,), offset=-1)})}), "negative"),
    "negative_stride": (mapping({"generator": mapping({"w": tensor((4,), (-1,), 3)})}), "negative"),
    "negative_size": (mapping({"generator": mapping({"w": tensor((-4,))})}), "negative"),
    "stretched": (mapping({"generator": mapping({"w": tensor((2**30,), (0,))})}), "oversized"),
    "enormous": (mapping({"generator": mapping({"w": tensor((2**31 - 1,) * 9, (0,) * 9)})}), "too many elements"),
    "many_dimensions": (mapping({"generator": mapping({"w": tensor((1,) * 40)})}), "too many"),
    "length_of_a_storage": (mapping({"generator": mapping({"w": tensor((4,), length=2**31 - 1)})}), "not in it"),
    "two_lengths": (
        mapping({"generator": mapping({"w": tensor((4,)), "v": tensor((3,), length=3)})}), "described in two ways"
    ),
    "complex": (
        mapping({"generator": mapping({"w": tensor((2,), length=2, kind="ComplexFloatStorage")})}), "complex"
    ),
    "quantised": (mapping({"generator": mapping({"w": tensor((4,), kind="QInt8Storage")})}), "quantised"),
    "other_storage": (mapping({"w": tensor((4,), kind="StrangeStorage")}), "torch.StrangeStorage"),
    "no_storage": (
        called(symbol("torch._utils", "_rebuild_tensor_v2"), number(1), number(0), numbers((1,)), numbers((1,))),
        "no storage",
    ),
    "too_few_arguments": (called(symbol("torch._utils", "_rebuild_tensor_v2"), storage(4)), "has 1 arguments"),
}  # fmt: skip


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize(("body", "says"), PICKLES.values(), ids=PICKLES)
def test_pickles(tmp_path: Path, make: Callable[[Path, bytes], Path], body: bytes, says: str) -> None:
    path = make(tmp_path / "a.pth", body)
    if make is legacy and says in ("not in it", "complex"):  # of these, the older kind says how many there are
        says = "number of elements"
    assert says in refusal(path)


@pytest.mark.parametrize("make", [archive, legacy])
def test_a_nested_value_is_not_walked_again_and_again(tmp_path: Path, make: Callable[[Path, bytes], Path]) -> None:
    state, shared = mapping({"w": tensor((4,))}), b"]" + doubled(60, b"\x86")
    path = make(tmp_path / "a.pth", b"}(" + text("generator") + state + text("x") + shared + b"u")
    started = time.process_time()
    assert list(read_checkpoint(path).components) == ["generator"]
    assert time.process_time() - started < LIMIT


def test_keys_that_share_a_hash(tmp_path: Path) -> None:
    """Whole numbers with one hash would each be compared with all before."""
    same = b"".join(b"\x8a\x0b" + (index * (2**61 - 1)).to_bytes(11, "little") + b"N" for index in range(1, 30_000))
    assert "keys other than" in refusal(archive(tmp_path / "a.pth", b"}(" + same + b"u"))


@pytest.mark.parametrize("views", [70, 600])
def test_many_views_of_few_bytes(tmp_path: Path, views: int) -> None:
    base = torch.zeros(2**18)
    torch.save({"generator": {f"w{index}": base[index:] for index in range(views)}}, tmp_path / "a.pth")
    assert "of the 1048576 that it has for them" in refusal(tmp_path / "a.pth")


def test_tied_weights_are_no_such_views(tmp_path: Path) -> None:
    base = torch.randn(2**18)
    torch.save({"generator": {f"w{index}": base for index in range(4)}}, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth").components["generator"]
    assert len({tensor.data_ptr() for tensor in found.values()}) == 1


def repacked(path: Path, change: Callable[[bytearray], None]) -> Path:
    archive(path, GOOD)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def at_central(data: bytearray, offset: int, value: bytes, entry: int = 0) -> None:
    """Change a field of one entry of the directory."""
    place = -1
    for _ in range(entry + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    data[place + offset : place + offset + len(value)] = value


def overlap(data: bytearray) -> None:
    first = data.index(b"PK\x01\x02")
    at_central(data, 42, bytes(data[first + 42 : first + 46]), 1)


ARCHIVES: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "overlap": (overlap, "not where its list"),
    "compressed": (lambda data: at_central(data, 10, b"\x08\x00", 2), "compressed"),
    "encrypted": (lambda data: at_central(data, 8, b"\x01\x00", 2), "encrypted"),
    "claims": (lambda data: at_central(data, 24, struct.pack("<L", 2**31), 2), "compressed"),
    "claims_both": (lambda data: at_central(data, 20, struct.pack("<2L", 2**31, 2**31), 2), "beyond"),
    "second_directory": (lambda data: data.extend(data[data.index(b"PK\x01\x02") :]), "not at its end"),
    "appended": (lambda data: data.extend(b"x" * 10), "not at its end"),
    "no_end": (lambda data: data.__delitem__(slice(-22, None)), "no list of entries"),
    "other_name": (lambda data: data.__setitem__(slice(30, 37), b"Archive"), "not where its list"),
    "several_disks": (lambda data: data.__setitem__(slice(-18, -16), b"\x01\x00"), "several files"),
}


@pytest.mark.parametrize(("change", "says"), ARCHIVES.values(), ids=ARCHIVES)
def test_archives(tmp_path: Path, change: Callable[[bytearray], None], says: str) -> None:
    assert says in refusal(repacked(tmp_path / "a.pth", change))


def test_overlapping_entries_of_one_name(tmp_path: Path) -> None:
    """A directory that lists the same bytes a thousand times."""
    path = archive(tmp_path / "a.pth", GOOD)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02", data.index(b"archive/data/0"))
    entries = data[start : data.index(b"PK\x05\x06")]
    last = entries[entries.rindex(b"PK\x01\x02") :]
    more = entries + last * 1000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1003, 1003, len(more), start, 0)
    path.write_bytes(data[:start] + more + end)
    assert "twice" in refusal(path)


@pytest.mark.parametrize("content", [{"archive/data.pkl": b"", "other/data.pkl": b""}, {"a/data.pkl": b"\x80\x02."}])
def test_archives_of_odd_content(tmp_path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
    refusal(tmp_path / "a.pth")


def test_a_large_pickle(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pth", text("x" * (17 * 2**20)))
    assert "16777216 at most" in refusal(path)


def header(path: Path, text: str, data: bytes = bytes(16)) -> Path:
    content = text.encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + data)
    return path


def entry(**changes: object) -> str:
    return json.dumps({"generator.w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changes}})


HEADERS: dict[str, tuple[str, str]] = {
    "line_break_in_type": (entry(dtype="F32\nerror: all is well\n"), r"unknown number type F32\nerr"),
    "line_break_in_name": ('{"gen\\nerror": {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]}}', "gaps"),
    "escapes": ('{"\\u001b]0;owned\\u0007": {"dtype": "X"}}', r"describes \x1b]0;owned\x07"),
    "directions": ('{"\\u202eabc": 1}', r"\u202eabc"),
    "half_a_sign": ('{"\\ud800": 1}', r"\ud800, which is no text"),
    "long_name": ('{"%s": 1}' % ("k" * 100_000), "kk…kk"),
    "twice": ('{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "a": 1}', "twice"),
    "deep": ("{" + '"a":[' * 90_000, "JSON|nests"),
    "too_many": ('{"a":[' + "[]," * 300_000, "too many"),
    "gap": (entry(data_offsets=[0, 15]), "does not go with its shape"),
    "behind": (entry(data_offsets=[16, 32]), "gaps"),
    "short": (entry(shape=[3], data_offsets=[0, 12]), "end at byte"),
    "negative": (entry(shape=[-4]), "no list of whole numbers"),
    "huge": (entry(shape=[2**62, 2**62]), "does not go"),
    "many_digits": ('{"a": {"dtype": "F32", "shape": [%s], "data_offsets": [0, 16]}}' % ("9" * 50_000), "many digits"),
    "float": (entry(shape=[1e300]), "whole numbers were expected"),
    "not_a_number": (entry(shape=[float("nan")]), "whole numbers were expected"),
    "truth": (entry(shape=[True, 4]), "no list of whole numbers"),
    "more_fields": (entry(extra=1), "in an unknown way"),
    "metadata_of_numbers": ('{"__metadata__": {"size": 64}}', "metadata"),
    "metadata_list": ('{"__metadata__": []}', "metadata"),
    "list": ("{" + "}" * 3, "no JSON"),
    "complex": (entry(dtype="C64", shape=[2]), "complex"),
}


@pytest.mark.parametrize(("text", "says"), HEADERS.values(), ids=HEADERS)
def test_headers(tmp_path: Path, text: str, says: str) -> None:
    message = refusal(header(tmp_path / "a.safetensors", text))
    assert any(part in message for part in says.split("|")), message


def test_a_header_that_claims_a_gigabyte(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 90_000_000) + b'{"a":' + bytes(100))
    assert "at most were expected" in refusal(tmp_path / "a.safetensors")


PARTS_OF_ONE = {
    "data.pkl": (b"\x80\x02" + GOOD + b".", "a part of an unpacked weight file"),
    "data.pkl cut": (b"\x80\x02" + GOOD[:-20], "a part of an unpacked weight file"),
    "paddle": (b"\x80\x02" + called(symbol("numpy.core.multiarray", "_reconstruct"), number(1)) + b".", "Paddle"),
    "pickle": (b"\x80\x02}.", "none of torch.save"),
    "gzip": (b"\x1f\x8b\x08" + bytes(600), "gzip; a torch"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7-Zip"),
    "rar": (b"Rar!\x1a\x07" + bytes(600), "RAR"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5"),
    "gguf": (b"GGUF\x03" + bytes(600), "GGUF"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(600), "TensorFlow Lite"),
    "onnx": (b"\x08\x07\x12\x07pytorch\x1a\x051.8.1" + bytes(600), "ONNX"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(600), "JPEG"),
    "mp4": (b"\0\0\0\x20ftypisom" + bytes(600), "a video"),
    "webm": (b"\x1aE\xdf\xa3" + bytes(600), "a video"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "Git-LFS"),
    "html": (b"<!doctype html>", "web page"),
}


@pytest.mark.parametrize("name", PARTS_OF_ONE)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, name: str) -> None:
    content, says = PARTS_OF_ONE[name]
    (tmp_path / "a.pth").write_bytes(content)
    assert says in refusal(tmp_path / "a.pth")


def test_arrays_and_programs_are_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(3))
    assert "NumPy arrays (.npz)" in refusal(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert "NumPy array (.npy)" in refusal(tmp_path / "a.npy")
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "program.pt"))
    assert "TorchScript" in refusal(tmp_path / "program.pt")


def test_every_part_of_an_unpacked_file_is_named(tmp_path: Path) -> None:
    torch.save({"generator": {"w": torch.full((4,), 7.3)}}, tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "whole.pth") as file:
        file.extractall(tmp_path)
    for part in ("whole/data.pkl", "whole/data/0", "whole/version"):
        assert "a part of an unpacked weight file" in refusal(tmp_path / part)
    assert "a folder with an unpacked weight file" in refusal(tmp_path / "whole")


def test_tensors_of_a_safetensors_file_are_copied_once(tmp_path: Path) -> None:
    state = {"generator.a": torch.randn(3, 5), "generator.b": torch.randn(7).half(), "generator.c": torch.tensor(3)}
    save_file(state, tmp_path / "a.safetensors")
    found = read_checkpoint(tmp_path / "a.safetensors").components["generator"]
    for key, wanted in state.items():
        assert torch.equal(found[key.removeprefix("generator.")], wanted)
        assert found[key.removeprefix("generator.")].untyped_storage().nbytes() == wanted.nbytes
