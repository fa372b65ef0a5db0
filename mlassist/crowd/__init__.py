"""What several people's answers say of the truth and of the people. Pure arrays, no Django."""

from mlassist.crowd.crowdlab import crowdlab
from mlassist.crowd.dawid_skene import dawid_skene
from mlassist.crowd.votes import Finding, Votes, majority

__all__ = ["Finding", "Votes", "crowdlab", "dawid_skene", "majority"]
