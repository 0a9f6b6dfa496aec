"""Decoding of one video stream from its start, with a record of failures."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from realface.media.containers import VideoPacket, packets_of

# FFmpeg's own VP8 and VP9 decoders ignore the alpha channel; these read it.
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


class VideoDecoder:
    """Decodes the packets of one stream in order; damaged packets are skipped and counted.

    Args:
        container: the file, at its start.
        stream: the stream to decode.
        threads: number of decoding threads; 0 uses all cores.
        counts_only: skip work that changes pixels but not the number and times of the frames.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, threads: int, counts_only: bool = False
    ) -> None:
        self._container = container
        self._stream = stream
        self._own = _alpha_decoder(stream)
        context = self._own or stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = threads
        if counts_only:
            context.options = {"skip_loop_filter": "all", "skip_idct": "all"}
        self.num_failed = 0
        self.failed_stamps: set[int] = set()

    def frames(self) -> Iterator[VideoFrame]:
        """Yield all frames that can be decoded, in display order."""
        for packet in packets_of(self._container, self._stream):
            try:
                frames = self._decode(packet)
            except av.FFmpegError:
                self.num_failed += 1
                if packet.pts is not None:
                    self.failed_stamps.add(packet.pts)
                continue
            yield from frames

    def _decode(self, packet: VideoPacket) -> list[VideoFrame]:
        if self._own is None:
            return packet.decode()
        return self._own.decode(packet if packet.size else None)


def _alpha_decoder(stream: VideoStream) -> VideoCodecContext | None:
    """Return a decoder that keeps the alpha channel of a WebM file; None if the default decoder is enough."""
    name = _WITH_ALPHA.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return None
    decoder = CodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    return decoder
