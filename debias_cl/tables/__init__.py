"""Tables of predictions from anywhere: read or counted, coded once, handed on as Predictions."""
