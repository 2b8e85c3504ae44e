"""The people who were enrolled: `state/speakers/NAME/` holds a person's clips, and in `profile.json` what they sound like.

A voice print is known by the model that made it, and is made anew from its clip when another model asks. Of a clip that was enrolled with
`--discard-clips` only the prints are left. Everything here is closed to all but Trax's own user (0700, 0600): it tells persons apart.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trax import files
from trax.config import KNOWN_FORMATS
from trax.errors import SpeakerError
from trax.text import is_visible
from trax.transcript import VoicePrint

PROFILE_FILE = "profile.json"
FOLDER_MODE, FILE_MODE = 0o700, 0o600
#: The least speech, in seconds, that a voice is known by.
LEAST_SPEECH = 5.0
_LONGEST_NAME = 100  # bytes
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Print:
    """What a clip sounds like to one model: a vector of unit length, from so many seconds of speech."""

    seconds: float
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip: `size` in bytes and `modified` (ns since the epoch) of the file that its prints, or its `error`, are of.

    `prints` are by the key of the model; one that is not `kept` has no file any more, and shall have none.
    """

    size: int
    modified: int
    is_kept: bool = True
    prints: Mapping[str, Print] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A person: clips by the name of the file. Those of which nothing is known yet have no prints."""

    name: str
    clips: Mapping[str, Clip]

    def lacking(self, model: str) -> tuple[str, ...]:
        """The clips from which a print by this model is still to be made."""
        return tuple(name for name, clip in self.clips.items() if clip.is_kept and clip.error is None and model not in clip.prints)

    def speech(self, model: str) -> float:
        """Seconds of speech behind what this model knows of the voice."""
        return sum(clip.prints[model].seconds for clip in self.clips.values() if model in clip.prints)

    def voice(self, model: str) -> VoicePrint:
        """The mean over the clips, by their seconds of speech. Raises SpeakerError, in words, where that is not enough."""
        prints = [clip.prints[model] for clip in self.clips.values() if model in clip.prints]
        if not prints:
            raise SpeakerError(f"Nothing is known of the voice of {self.name}{self._why_not()}", advice=_ENROLL.format(self.name))
        if (seconds := self.speech(model)) < LEAST_SPEECH:
            what = f"Of {self.name}, {seconds:.1f} s of speech are enrolled; {LEAST_SPEECH:g} s are the least."
            raise SpeakerError(what, advice=_ENROLL.format(self.name))
        mean = [sum(each.seconds * each.vector[at] for each in prints) for at in range(len(prints[0].vector))]
        length = math.hypot(*mean) or 1.0
        return VoicePrint(self.name, tuple(value / length for value in mean))

    def _why_not(self) -> str:
        if errors := [clip.error for clip in self.clips.values() if clip.error]:
            return f": {errors[0]}"
        if any(clip.prints for clip in self.clips.values()):
            return ": the prints are of another model, and the clips were discarded."
        return ": there is no clip."


_ENROLL = "`trax-ctl speakers enroll {} FILE` adds a recording in which that person alone speaks."


def checked_name(text: str) -> str:
    """A name that a person may be enrolled under, in composed letters. Raises SpeakerError."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    is_fit = name and not name.startswith(".") and "/" not in name and all(map(is_visible, name))
    if not is_fit or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise SpeakerError(f"{text!a} cannot be a name.", advice=f"Take at most {_LONGEST_NAME} bytes, without / and no dot in front.")
    if re.fullmatch(r"SPEAKER_\d+", name, re.IGNORECASE):
        raise SpeakerError(f"{text} is what Trax calls those whom it does not know.", advice="Take another name.")
    return name


def _is_fit(name: str) -> bool:
    with contextlib.suppress(SpeakerError):
        return checked_name(name) == name
    return False


def enrolled(folder: Path) -> tuple[Profile, ...]:
    """Everyone enrolled, by name, with the clips that lie there now; a folder whose name nobody can have is left out.

    Raises SpeakerError when the folder may not be read.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir() and _is_fit(path.name))
        return tuple(read(folder, name) for name in names)
    except FileNotFoundError:
        return ()
    except OSError as error:
        what = f"The enrolled voices cannot be read: {error.strerror}."
        raise SpeakerError(what, file=str(folder), advice="They are closed to all but the user trax: `sudo -u trax trax-ctl …`.") from error


def read(folder: Path, name: str) -> Profile:
    """One person, with the clips that lie there now: what is known of a clip that was changed is forgotten. Raises OSError."""
    place = folder / name
    known = _known(place)
    there = {path.name: path.stat() for path in sorted(place.iterdir()) if is_clip(path)}
    clips = {}
    for clip in sorted({*known, *there}):
        if clip not in there:
            if not known[clip].is_kept:
                clips[clip] = known[clip]
            continue
        found = Clip(there[clip].st_size, there[clip].st_mtime_ns)
        is_same = clip in known and (known[clip].size, known[clip].modified) == (found.size, found.modified)
        clips[clip] = replace(known[clip], is_kept=True) if is_same else found
    return Profile(name, clips)


def is_clip(path: Path) -> bool:
    """Whether this is a file to learn a voice from."""
    return path.suffix.lower() in KNOWN_FORMATS and not path.name.startswith(".") and path.is_file() and not path.is_symlink()


def write(folder: Path, profile: Profile) -> None:
    """Make what is known of a person durable; what root learns is the daemon's too. Raises StorageError."""
    plain = {name: _clip_to_plain(clip) for name, clip in profile.clips.items()}
    files.write_bytes(folder / profile.name / PROFILE_FILE, json.dumps({"clips": plain}).encode(), FILE_MODE)
    files.hand_over(folder / profile.name, folder)


def make(folder: Path, name: str) -> Path:
    """The folder of a person, closed to others, made when missing. Raises StorageError."""
    files.make_folder(folder / name, FOLDER_MODE)
    return folder / name


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[bool]:
    """Whoever changes what is known of people holds this; yields False where another process does. Raises StorageError."""
    with files.locked(folder / _LOCK) as is_free:
        if is_free:
            files.hand_over(folder, folder.parent)  # root must not make a lock that the daemon cannot take
        yield is_free


def _known(place: Path) -> dict[str, Clip]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        plain = json.loads((place / PROFILE_FILE).read_bytes())
        return {str(name): _clip_from_plain(clip) for name, clip in plain["clips"].items()}
    return {}


def _clip_to_plain(clip: Clip) -> dict[str, Any]:
    prints = {model: {"seconds": each.seconds, "vector": list(each.vector)} for model, each in clip.prints.items()}
    return {"size": clip.size, "modified": clip.modified, "is_kept": clip.is_kept, "prints": prints, "error": clip.error}


def _clip_from_plain(plain: Mapping[str, Any]) -> Clip:
    prints = {
        str(model): Print(float(each["seconds"]), tuple(map(float, each["vector"]))) for model, each in plain["prints"].items()
    }
    error = plain["error"]
    return Clip(int(plain["size"]), int(plain["modified"]), bool(plain["is_kept"]), prints, None if error is None else str(error))


def names_in(path: Path) -> Iterator[str]:
    """Whom an artefact `names.json` names or suggests; nobody where there is none, or none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        for name, *_ in json.loads(path.read_bytes()).values():
            yield str(name)
