"""The tree of errors.

HotloopError
 |- RegistryError        a name that nothing is registered under
 |- ModelError           a model that cannot be registered or built
 |- PlanError            a plan that cannot be read or built
 |- NotApplicable        a transform that has nothing to do on this workload or machine
 |- WorkloadError        a script or recipe that cannot be trained
 |   |- WorkloadCrashed  it raised; carries the traceback
 |   '- NeverStepped     no optimizer stepped within the time limit
 |- NonFiniteError       training met a NaN or an infinity
 |- ChangedData          another way to fetch gave other batches than the plain one
 |- ProtectedFile        a trial tried to change a file that existed before it
 |- MeasurementError     the engine could not take the samples it needs
 |- HistoryError         a history that cannot be opened or has another schema
 |- SourceError          a source file that cannot be linted: not Python, not text, not there
 |- RevisionError        a git revision, or a repository, that cannot be compared
 |- ClusterError         machines to measure on that cannot be reached, or are not of one kind
 |- EvidenceError        an evidence folder that is incomplete or damaged
 |- ConfigError          a config of `hotloop train` that cannot be read or run
 |- MatrixError          a matrix of `hotloop bench` that cannot be read
 |- TrackerError         a tracker that is not there or takes nothing
 |- PhaseError           a call that the phase of training does not allow
 |- PanelError           a panel of stocks, or a store of one, that cannot be read or used
 '- FitFailed            a run of `hotloop train` that did not end well

A message has three parts: what was given, what is allowed, what to do.
"""


class HotloopError(Exception):
    """Anything hotloop raises on purpose."""


class RegistryError(HotloopError):
    """A name that nothing is registered under."""


class ModelError(HotloopError):
    """A class that keeps no protocol of models, or options that a model cannot take."""


class PlanError(HotloopError):
    """A plan that cannot be read or built."""


class NotApplicable(HotloopError):
    """A transform that has nothing to do on this workload or machine; the message says why."""


class WorkloadError(HotloopError):
    """A script or recipe that cannot be trained."""


class WorkloadCrashed(WorkloadError):
    """The script or recipe raised.

    `kind` is the class of what it raised; `traceback` is the text a person would have seen.
    """

    def __init__(self, message: str, *, kind: str, traceback: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.traceback = traceback


class NeverStepped(WorkloadError):
    """No optimizer stepped within the time limit."""


class NonFiniteError(HotloopError):
    """Training met a loss or a gradient that is NaN or infinite; the weights are those of the last finite step."""


class ChangedData(HotloopError):
    """Another way to fetch from a data set gave another batch than the plain one, in a run that is watched."""


class ProtectedFile(HotloopError):
    """A trial tried to change or delete a file that existed before it."""


class MeasurementError(HotloopError):
    """The engine could not take the samples it needs."""


class HistoryError(HotloopError):
    """A history that cannot be opened, or that another version wrote."""


class SourceError(HotloopError):
    """A source file that cannot be linted: not Python, not text, not there."""


class RevisionError(HotloopError):
    """A git revision that cannot be found or checked out, or a folder that is in no git repository."""


class ClusterError(HotloopError):
    """Machines to measure on that cannot be reached, or none of which is of this machine's kind."""


class EvidenceError(HotloopError):
    """An evidence folder that is incomplete or damaged."""


class ConfigError(HotloopError):
    """A config of `hotloop train` that cannot be read or run."""


class MatrixError(HotloopError):
    """A matrix of `hotloop bench` that cannot be read."""


class TrackerError(HotloopError):
    """A tracker that is not there or takes nothing."""


class PhaseError(HotloopError):
    """A call that the phase of training, or the order of its calls, does not allow."""


class PanelError(HotloopError):
    """A panel of stocks, or a store of one, that cannot be read or used."""


class FitFailed(HotloopError):
    """A run of `hotloop train` that did not end well; its folder says why."""
