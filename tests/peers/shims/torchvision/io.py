"""Videos as torchvision's reader gives them, by PyAV."""


class VideoReader:
    def __init__(self, path, stream):
        import av

        assert stream == "video"
        self.container = av.open(path)
        self._stream = self.container.streams.video[0]
        self._frames = None

    def seek(self, time_s, *, keyframes_only):
        assert keyframes_only
        self.container.seek(int(time_s / self._stream.time_base), stream=self._stream, backward=True)
        self._frames = self.container.decode(self._stream)

    def __iter__(self):
        return self

    def __next__(self):
        import torch

        frame = next(self._frames)
        picture = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)
        return {"data": picture, "pts": float(frame.pts * frame.time_base)}
