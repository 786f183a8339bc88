"""Node with sample inputs to try the runners on."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from ..animation.samples import sample_boxes, sample_pictures, sample_videos
from .inputs import look_up_choice
from .runtime.sample import sample
from .runtime.videos import video_of
from .schema import Node, make_schema


class FirstOrderMotion_Sample(Node):
    """Node that outputs a bundled picture and the bundled video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_Sample",
            display_name="First Order Motion Sample",
            description="A drawn picture and a drawn driving video with sound, to try the runners without any file.",
            aliases=["sample", "example", "demo", "talking head", "portrait"],
            inputs=[
                io.Combo.Input(
                    "picture",
                    options=list(sample_pictures()),
                    default=next(iter(sample_pictures())),
                    tooltip="Which of the bundled pictures.",
                ),
                io.Combo.Input(
                    "video",
                    options=list(sample_videos()),
                    default=next(iter(sample_videos())),
                    optional=True,
                    tooltip="Which of the bundled videos: one face with sound, or two people side by side.",
                ),
            ],
            outputs=[
                io.Image.Output("source_image", display_name="source_image", tooltip="The picture."),
                io.Image.Output("driving_video", display_name="driving_video", tooltip="The frames of the video."),
                io.Audio.Output("audio", display_name="audio", tooltip="The sound of the video."),
                io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second of the video."),
                io.String.Output("boxes", display_name="boxes", tooltip="The faces of the picture, for Crop Faces."),
                io.String.Output(
                    "driving_boxes", display_name="driving_boxes", tooltip="The faces of the video, for Crop Faces."
                ),
                io.Video.Output("video_out", display_name="video", tooltip="The video's file, for Animate Video."),
            ],
        )

    @classmethod
    def execute(cls, picture: str, video: str = "") -> io.NodeOutput:
        source = look_up_choice("picture", picture, sample_pictures())
        driving = look_up_choice("video", video or next(iter(sample_videos())), sample_videos())
        boxes = sample_boxes(source), sample_boxes(driving)
        return io.NodeOutput(*sample(source, driving), *boxes, video_of(driving))
