"""What finds the faces that labeling hides. It asks by `labeling.extensions`, and knows nothing of networks."""

from labeling.extensions import register_faces
from mlassist.centerface import CenterFace

register_faces(CenterFace())
