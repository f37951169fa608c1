"""Drawn faces whose true factors are known: one small vector of named handles makes each image.

    >>> from course_utils.data.faces import default_handles, render_faces
    >>> render_faces(default_handles(2, smile=1.0), size=32).shape
    torch.Size([2, 3, 32, 32])

`handles` says what can be set, `drawing` turns handles into pixels, `sets` draws data sets, `captions` reads what is
said of a face, `phrases` makes numbers of it, `plane` lays a map through the codes of four. Lessons 00, 09 and 14.
"""

from course_utils.data.faces.captions import SAYINGS, named_handles, obeyed
from course_utils.data.faces.drawing import render_faces
from course_utils.data.faces.handles import HANDLES, Handle, default_handles, describe_face, sample_handles
from course_utils.data.faces.phrases import PHRASES, bag_of_phrases
from course_utils.data.faces.plane import HAIR_COLORS, HAIR_SHADES, face_plane, hair_kinds, plane_faces
from course_utils.data.faces.sets import FaceSet, sample_faces

__all__ = [
    "HAIR_COLORS", "HAIR_SHADES", "HANDLES", "PHRASES", "SAYINGS", "FaceSet", "Handle", "bag_of_phrases",
    "default_handles", "describe_face", "face_plane", "hair_kinds", "named_handles", "obeyed", "plane_faces",
    "render_faces", "sample_faces", "sample_handles",
]  # fmt: skip
