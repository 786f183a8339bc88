"""Model, picture and session of a live animation, behind one door; for one thread at a time."""

from __future__ import annotations

import gc
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Protocol

from ..animation.faces.face import LARGEST, FaceFinder
from ..animation.faces.follow import HeadFollower
from ..animation.faces.square import DEFAULT_RATIO
from ..animation.options import AnimateOptions
from ..animation.predictor import Predictor
from ..core.device import trim_heap
from ..core.errors import InputError, quote
from .frames import Frame
from .pictures import LivePicture, Part, Pictures
from .session import LiveSession, Shot
from .settings import FACE, LiveSettings
from .view import Pixels, View

CHOICES: Final = ("model", "picture")
NO_HEAD: Final = "The camera shows no face: the square in its middle drives. Come closer, or add light."


@dataclass(frozen=True, slots=True)
class Entry:
    """Line of a menu."""

    id: str
    label: str


class Models(Protocol):
    """Models that a page may choose from, the one to begin with first."""

    def listed(self) -> Sequence[Entry]:
        """List them."""
        ...

    def load(self, identity: str) -> Predictor:
        """Load one of them. Raises what loading it raises."""
        ...

    def in_use(self) -> AbstractContextManager[bool]:
        """Keep what was loaded on its device for a block, which is told whether it still is there."""
        ...

    def free(self) -> None:
        """Give back what they hold of the device; nothing uses them now."""
        ...


class Sink(Protocol):
    """Place that gets every picture, such as a virtual camera."""

    def show(self, picture: Pixels) -> None:
        """Take a picture (H, W, 3)."""
        ...

    def close(self) -> None:
        """Rest until the next picture comes, if one does."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a studio works with: what may be chosen, how it begins, and what it passes to the driver.

    `painters` is how many frames are drawn at the same time, in threads of their own: more than one for processors,
    which share one frame badly, and models that several threads may use.
    """

    models: Models
    pictures: Pictures
    finder: FaceFinder
    settings: LiveSettings = field(default_factory=LiveSettings)
    options: AnimateOptions = field(default_factory=lambda: AnimateOptions(antialias=True))
    ratio: float = DEFAULT_RATIO
    sink: Sink | None = None
    painters: int = 1


class Studio:
    """Live animation that is opened, told what to show, given frames, and closed again.

    Only while it is open is there a model in memory.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.model = setup.models.listed()[0].id
        self._settings = setup.settings
        self._session: LiveSession | None = None
        self._device = ""
        self._detecting = ThreadPoolExecutor(1, "live-faces")
        self._told = False  # that no head is found
        self._part: Part | None = None
        self._view: View | None = None  # of that part

    @property
    def is_open(self) -> bool:
        """Tell whether a model is loaded."""
        return self._session is not None

    @property
    def settings(self) -> LiveSettings:
        """Settings as they are followed now."""
        return self._settings if self._session is None else self._session.settings

    @property
    def picture(self) -> str:
        """Id of the picture that is shown; "" before one is."""
        return "" if self._part is None else self._part.picture

    def label_of(self, model: object) -> str | None:
        """Name a model as the menu does; None for what is none."""
        return next((entry.label for entry in self.setup.models.listed() if entry.id == model), None)

    def open(self) -> None:
        """Load the chosen model, unless it is there. Raises what loading it raises."""
        if self._session is not None:
            return
        picture = self._known_picture()
        model = self.model
        if self._is_other(picture):  # what was animated is offered no more
            self._settings, model = replace(self._settings, faces=LARGEST), self.setup.models.listed()[0].id
        self._load(model, picture, picture.part(self._settings.shown, self._settings.faces))

    def close(self) -> None:
        """Free the model and everything that was computed with it."""
        self._settings, self._session = self.settings, None
        self.setup.models.free()
        if self.setup.sink is not None:
            self.setup.sink.close()
        gc.collect()
        trim_heap()

    def end(self) -> None:
        """Close for good."""
        self.close()
        self._detecting.shutdown(cancel_futures=True)

    def begin(self) -> None:
        """Begin with another page: motion is measured from its first frame, and nothing is held."""
        self.recentre()
        settings = replace(self.settings, hold=False)
        if self._session is None:
            self._settings = settings
        else:
            self._session.change(settings)

    def recentre(self) -> None:
        """Measure motion from the next frame."""
        if self._session is not None:
            self._session.recentre()

    def change(self, changes: Mapping[str, object]) -> None:
        """Change model, picture and settings: all of them, or with an error none."""
        settings = self.settings.changed({name: value for name, value in changes.items() if name not in CHOICES})
        model = _text("model", changes.get("model", self.model))
        if self.label_of(model) is None:
            raise InputError(f"is {quote(model)}, which is not there. Choose one from the list.", "model")
        identity = _text("picture", changes.get("picture", self.picture))
        picture = self.setup.pictures.get(identity) if identity else self._known_picture()
        if self._is_other(picture) and "faces" not in changes:
            settings = replace(settings, faces=LARGEST)
        part = picture.part(settings.shown, settings.faces)
        if self._session is None or model != self.model:
            self._load(model, picture, part)
        assert self._session is not None  # it was loaded
        if "model" in changes:
            settings = settings.fitting(self._session.spec)
        self._session.change(settings)
        self._show(self._session, self._view_of(picture, part), part)
        self.setup.pictures.forget_oldest(in_use=self.picture)

    def read(self, frame: Frame) -> Shot:
        """Read a frame, and the pose in it. Raises InputError."""
        picture = frame.picture()
        with self._loaded(frame) as session:
            return session.read(picture, frame.milliseconds / 1000)

    def paint(self, frame: Frame, shot: Shot) -> tuple[Pixels, bytes]:
        """Draw the picture for a frame that was read, and make the message that answers it. Raises InputError.

        Other threads may paint at the same time.
        """
        with self._loaded(frame) as session:
            pixels = session.paint(shot if shot.animator is session.animator else session.newest())
        return pixels, frame.answer(pixels)

    @contextmanager
    def _loaded(self, frame: Frame) -> Generator[LiveSession]:
        """Give the session for a block, with its model on its device, to work on a frame. Raises InputError."""
        session = self._session
        if session is None:
            raise InputError(f"Frame {frame.number} came while no model is loaded. Choose a model.")
        with self.setup.models.in_use() as is_there:
            if not is_there:
                session.use(self.setup.models.load(self.model))
            yield session

    def notice(self) -> str | None:
        """Say what a page should know of the newest frame, once."""
        session = self._session
        missing = session is not None and session.settings.framing == FACE and not session.sees_head
        told, self._told = self._told, missing
        return NO_HEAD if missing and not told else None

    def state(self) -> dict[str, object]:
        """Describe what is shown, and by what."""
        known = asdict(self.settings)
        known["framing"] = known["framing"] or FACE
        if self._part is not None:
            known |= {"shown": self._part.shown, "faces": self._part.choice, "faces_found": self._part.found}
            known["note"] = self._part.note
        size = 0 if self._session is None else self._session.size
        return {"model": self.model, "picture": self.picture, "size": size, "device": self._device, **known}

    def _load(self, model: str, picture: LivePicture, part: Part) -> None:
        """Load a model, which goes on as the one before it did."""
        predictor, view = self.setup.models.load(model), self._view_of(picture, part)
        if self._session is None:
            follower = HeadFollower(self.setup.finder, self._detecting, self.setup.ratio)
            settings = self._settings.fitting(predictor.animator.spec)
            self._session = LiveSession(predictor, view, settings, self.setup.options, follower.square)
        else:
            self._session.use(predictor)
        self._show(self._session, view, part)
        self.model, self._device = model, str(predictor.device)

    def _view_of(self, picture: LivePicture, part: Part) -> View:
        """Return the view of a part, which is made once as long as no other is shown."""
        return picture.view(part) if self._view is None or part != self._part else self._view

    def _show(self, session: LiveSession, view: View, part: Part) -> None:
        """Go on with the view of a part."""
        session.show(view)
        self._view, self._part = view, part

    def _is_other(self, picture: LivePicture) -> bool:
        """Tell whether another picture than this one was shown before."""
        return bool(self.picture) and picture.id != self.picture

    def _known_picture(self) -> LivePicture:
        """Return the picture that was chosen last, or the first while none was. Raises InputError without any."""
        listed = self.setup.pictures.listed()
        if not listed:
            raise InputError("There is no picture to animate. Add one on the page.")
        return next((one for one in listed if one.id == self.picture), listed[0])


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"is {quote(value)}; a text was wanted.", name)
    return value
