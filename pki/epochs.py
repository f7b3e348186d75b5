"""Which epoch it is. Epochs are counted from Unix time; spec: docs/spec/directory.md (Epochs)."""

from hushmill.identifiers import Epoch
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters


def epoch_at(wall: float, parameters: Parameters) -> Epoch:
    """The epoch that holds the Unix time `wall`."""
    return Epoch(max(0, int(wall // parameters.epoch_seconds)))


def epoch_start(epoch: Epoch, parameters: Parameters) -> float:
    """The Unix time at which `epoch` begins."""
    return float(epoch * parameters.epoch_seconds)


def epoch_middle(epoch: Epoch, parameters: Parameters) -> float:
    """The Unix time from which authorities vote on the document of the epoch after `epoch`."""
    return (epoch + 0.5) * parameters.epoch_seconds


def vote_window_seconds(parameters: Parameters) -> float:
    """How long an authority waits for the votes of others after its own."""
    return max(2.0 * parameters.skew_seconds, parameters.epoch_seconds / 12)


def next_document_due(epoch: Epoch, parameters: Parameters) -> float:
    """The Unix time in `epoch` from which the next epoch's document can be expected."""
    return epoch_middle(epoch, parameters) + vote_window_seconds(parameters) / 2


def next_epoch(epoch: Epoch) -> Epoch:
    return Epoch(epoch + 1)


def last_served(epoch: Epoch) -> Epoch:
    """The last epoch in which the document of `epoch` may still be used."""
    return Epoch(epoch + KEY_EPOCHS_AHEAD)
