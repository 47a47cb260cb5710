"""Pictures on disk: they come back as they went in, the same bytes each time, whole or not at all."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators.files import whole_file
from generators.media import codecs
from generators.media.background import Background
from generators.media.codecs import EncodingError, check_encoding, chunk_frames, compress, decode_picture, decompress
from generators.media.reader import open_media
from generators.media.shots import Shot
from generators.media.writer import MediaHeader, MediaWriter, Optics
from generators.schema import DatasetError
from sim.errors import MissingExtraError, UnknownNameError

LENGTHS = [0, 21, 1, 37]  # pictures of each episode
WIDTH, HEIGHT = 64, 48
HEADER = MediaHeader("genba-0", "0" * 64, 3, "tests/push", "cam", "0.1.0", "4.0.0")
OPTICS = Optics(np.diag([50.0, 50.0, 1.0]), 0.1, 10.0, (("background", "background"), ("box", "coil")))


def pictures(count):
    """A smooth scene through which something moves, as cameras see it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    still = np.stack([x * 3, y * 4, x + y], axis=-1).astype(np.uint8)
    out = np.repeat(still[None], max(1, count), axis=0)[:count]
    for i in range(count):
        out[i, 10:20, i % 50 : i % 50 + 10] = 200
    return out


EPISODES = [pictures(n) for n in LENGTHS]


def write(path, encoding, block=7, *, header=HEADER, kinds=("rgb", "depth", "segmentation"), episodes=EPISODES):
    shot = Shot("cam", WIDTH, HEIGHT, 1, 20.0, kinds, "fast", encoding)
    total = sum(map(len, episodes))
    with contextlib.ExitStack() as files, Background() as background:
        writer = MediaWriter(path, header, shot, frames=total, background=background, drawn_by=("egl", "llvmpipe"))
        files.enter_context(writer)
        for number, rgb in enumerate(episodes):
            writer.begin(number, OPTICS if len(rgb) else None)
            for i in range(0, len(rgb), block):
                part = rgb[i : i + block]
                steps = np.arange(i, i + len(part))
                images = {"rgb": part, "depth": part[..., 0] * np.uint16(257), "segmentation": part[..., 0] // 128}
                images["segmentation"] = images["segmentation"].astype(np.uint16)
                writer.append(images, np.tile(np.eye(4), (len(part), 1, 1)), steps, steps * 50_000_000)
            writer.end()
        writer.finish()
    return path


@pytest.mark.parametrize("encoding", ["zstd", "raw", "png"])
def test_lossless_pictures_come_back_to_the_bit(encoding, tmp_path):
    with open_media(write(tmp_path / "a.h5", encoding)) as media:
        assert (len(media), media.frames) == (4, sum(LENGTHS))
        for row, rgb in enumerate(EPISODES):
            assert np.array_equal(media.images(row, "rgb"), rgb)
            assert np.array_equal(media.images(row, "rgb", 2, 19), rgb[2:19])
            assert np.array_equal(media.images(row, "rgb", -1), rgb[-1:])


@pytest.mark.parametrize(("encoding", "bound"), [("jpeg", 38.0), ("mp4", 28.0)])
def test_lossy_pictures_come_back_alike(encoding, bound, tmp_path):
    """PSNR in dB; mp4 halves the resolution of colours, which this scene is full of."""
    with open_media(write(tmp_path / "a.h5", encoding)) as media:
        for row, rgb in enumerate(EPISODES):
            found = media.images(row, "rgb")
            assert found.shape == rgb.shape
            if len(rgb):
                error = np.mean((found.astype(float) - rgb) ** 2)
                assert 10 * np.log10(255**2 / error) > bound
            assert np.array_equal(media.images(row, "rgb", 2, 19), found[2:19])


@pytest.mark.parametrize("encoding", ["zstd", "raw", "png", "jpeg", "mp4"])
def test_depth_and_segmentation_lose_nothing_whatever_rgb_does(encoding, tmp_path):
    with open_media(write(tmp_path / "a.h5", encoding)) as media:
        for row, rgb in enumerate(EPISODES):
            assert np.array_equal(media.images(row, "depth"), rgb[..., 0] * np.uint16(257))
            assert np.array_equal(media.images(row, "segmentation"), rgb[..., 0] // 128)
            assert media.images(row, "depth").dtype == np.uint16


@pytest.mark.parametrize("encoding", ["zstd", "raw", "png", "jpeg", "mp4"])
def test_the_same_pictures_give_the_same_bytes_however_they_come(encoding, tmp_path):
    whole = write(tmp_path / "a.h5", encoding).read_bytes()
    for block in (1, 16, 100):
        assert write(tmp_path / "b.h5", encoding, block).read_bytes() == whole


@pytest.mark.parametrize("lengths", [[], [0, 0], [3], [0, 1, 6], [16], [17]])
@pytest.mark.parametrize("encoding", ["zstd", "raw", "png", "mp4"])
def test_few_pictures_or_none_come_back_too(encoding, lengths, tmp_path):
    episodes = [pictures(n) for n in lengths]
    with open_media(write(tmp_path / "a.h5", encoding, episodes=episodes)) as media:
        assert len(media) == len(lengths)
        for row, rgb in enumerate(episodes):
            assert media.images(row, "rgb").shape == rgb.shape
            assert np.array_equal(media.images(row, "depth"), rgb[..., 0] * np.uint16(257))


def test_hdf5plugin_reads_what_was_written_past_it(tmp_path):
    pytest.importorskip("hdf5plugin")
    with h5py.File(write(tmp_path / "a.h5", "zstd")) as file:
        assert np.array_equal(file["cam/rgb"][0:21], EPISODES[1])
        assert file["cam/depth"].attrs["depth_clip_m"] == 10.0
        assert file["cam/depth"].attrs["depth_scale_m"] == 10.0 / 65535
        attributes = dict(file["cam"].attrs)
        assert (attributes["convention"], attributes["color"], attributes["encoding"]) == ("opencv", "RGB", "zstd")
        assert (attributes["width"], attributes["height"], attributes["rate_hz"]) == (WIDTH, HEIGHT, 20.0)


def test_an_episodes_shots_have_their_steps_times_and_camera(tmp_path):
    with open_media(write(tmp_path / "a.h5", "zstd")) as media:
        shots = media.shots(3)
        assert np.array_equal(shots.step, np.arange(37))
        assert np.array_equal(shots.t_ns, np.arange(37) * 50_000_000)
        assert np.array_equal(shots.k, OPTICS.k)
        assert (shots.near, shots.far, shots.segments) == (0.1, 10.0, OPTICS.segments)
        assert len(media.shots(0).step) == 0
        with pytest.raises(UnknownNameError, match="did you mean 'depth'"):
            media.images(1, "depht")


def test_a_camera_whose_range_changes_is_refused_and_leaves_no_file(tmp_path):
    shot = Shot("cam", 4, 4, 1, 20.0, ("depth",), "fast", "zstd")
    with (  # noqa: PT012
        pytest.raises(DatasetError, match="another range"),
        Background() as background,
        MediaWriter(tmp_path / "a.h5", HEADER, shot, frames=0, background=background, drawn_by=("", "")) as writer,
    ):
        for number, far in enumerate((10.0, 11.0)):
            writer.begin(number, Optics(OPTICS.k, 0.1, far, OPTICS.segments))
    assert not list(tmp_path.iterdir())


def test_chunks_are_powers_of_two_and_of_bounded_size():
    assert chunk_frames(128 * 128 * 3) == 16
    assert chunk_frames(640 * 480 * 3) == 16
    assert chunk_frames(1920 * 1080 * 3) == 2
    assert chunk_frames(4096 * 4096 * 3) == 1


def test_a_chunk_unpacks_into_its_shape_and_no_more():
    bomb = compress(np.zeros(1 << 24, np.uint8))
    assert len(bomb) < 2000
    with pytest.raises(DatasetError, match="damaged"):
        decompress(bomb, (16, 8, 8, 3), np.dtype(np.uint8))
    with pytest.raises(DatasetError, match="damaged"):
        decompress(b"nonsense", (16, 8, 8, 3), np.dtype(np.uint8))


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_a_picture_of_another_size_or_format_is_damage(encoding):
    data = codecs.encode_picture(EPISODES[1][0], encoding)
    with pytest.raises(DatasetError, match="shape"):
        decode_picture(data, encoding, (HEIGHT, WIDTH + 2, 3))
    with pytest.raises(DatasetError, match="it is no"):
        decode_picture(data, "png" if encoding == "jpeg" else "jpeg", (HEIGHT, WIDTH, 3))
    with pytest.raises(DatasetError, match="damaged"):
        decode_picture(data[: len(data) // 2], encoding, (HEIGHT, WIDTH, 3))


def test_a_damaged_video_is_damage():
    encoder = codecs.VideoEncoder(WIDTH, HEIGHT, 20.0)
    for frame in EPISODES[1]:
        encoder.add(frame)
    data = encoder.finish()
    for bad, stop in ((data[:500], 21), (b"", 21), (data, 22)):
        with pytest.raises(DatasetError, match="a video is damaged"):
            codecs.decode_video(bad, (HEIGHT, WIDTH, 3), 0, stop)


def test_mp4_needs_even_sizes_and_its_package(monkeypatch):
    with pytest.raises(EncodingError, match="even width and height, got 33 x 32"):
        check_encoding("mp4", 33, 32, ("rgb",))
    check_encoding("mp4", 33, 33, ("depth",))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genba\[video\]'"):
        check_encoding("mp4", 32, 32, ("rgb",))


def test_the_background_does_things_in_order_and_raises_what_went_wrong():
    done = []
    with Background() as background:
        for i in range(50):
            background.put(lambda i=i: done.append(i))
    assert done == list(range(50))

    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"), Background() as background:  # noqa: PT012 - raised when it is told next
        background.put(fail)
        for _ in range(50):
            background.put(lambda: done.append(0))
    assert len(done) == 50


def test_leaving_by_an_exception_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:  # noqa: PT012
        file.write(b"new")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    assert path.read_bytes() == b"old"


FULL = """
import resource, runpy, signal, sys
from pathlib import Path
here = runpy.run_path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    here["write"](Path(sys.argv[2]), "zstd", episodes=here["EPISODES"] * 8)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("limit", [0, 3000, 40_000, 150_000])
def test_a_disk_that_fills_up_while_pictures_are_written_is_an_oserror(limit, tmp_path):
    command = [sys.executable, "-c", FULL, __file__, str(tmp_path / "a.h5"), str(limit)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "File too large\n"
    assert not list(tmp_path.iterdir())


def corrupt(path: Path, name: str):
    with h5py.File(path, "r+") as file:
        chunk = file[name].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + 20)
        raw.write(b"\xff" * 40)


def test_a_damaged_chunk_is_named_and_the_others_can_be_read(tmp_path):
    path = write(tmp_path / "a.h5", "zstd")
    corrupt(path, "cam/depth")
    with open_media(path) as media:
        with pytest.raises(DatasetError, match=r"a\.h5: cam/depth"):
            media.images(1, "depth")
        assert np.array_equal(media.images(1, "rgb"), EPISODES[1])


def linked(file):
    file["cam/more"] = h5py.ExternalLink("/etc/passwd", "/x")


def huge(file):
    del file["cam/rgb"]
    file.create_dataset("cam/rgb", (1 << 22, 480, 640, 3), "u1", chunks=(16, 480, 640, 3), compression=32015)


def many(file):
    file["episodes/frame_count"][...] = 1 << 40


def lost(file):
    del file["cam"].attrs["stride"]


@pytest.mark.parametrize("bomb", [linked, huge, lost])
def test_files_that_a_media_shard_never_is_are_refused(bomb, tmp_path):
    pytest.importorskip("hdf5plugin")
    path = write(tmp_path / "a.h5", "zstd")
    with h5py.File(path, "r+") as file:
        bomb(file)
    with pytest.raises(DatasetError, match=r"^a\.h5"):
        open_media(path)


def test_pictures_are_read_a_few_gb_at_a_time(tmp_path):
    path = write(tmp_path / "a.h5", "raw")
    with h5py.File(path, "r+") as file:
        many(file)
    with open_media(path) as media, pytest.raises(DatasetError, match="read fewer at a time"):
        media.images(1, "rgb")


def test_another_format_is_refused(tmp_path, dataset):
    with pytest.raises(DatasetError, match="format is 'genba', expected 'genba-media'"):
        open_media(dataset / "shards" / "shard-00000.h5")
