"""The gaps of section 5: names for people, technical names, definitions in a sentence."""

from __future__ import annotations

from debias_cl.checks.names import Names
from debias_cl.checks.text import capital


def measures(names: Names) -> dict[str, tuple[str, str, str]]:
    """Return disparity -> (name for people, technical name, definition).

    Without labels: what needs no truth.
    """
    if not names.known:
        answer = f"called {names.positive}" if names.binary else "given each answer"
        return {
            "demographic_parity": (capital(answer), "demographic parity", f"the share {answer}.")
        }
    if names.binary:
        yes = names.positive
        return {
            "equal_opportunity": (
                f"{capital(yes)} found",
                "equal opportunity",
                f"of those that are {yes}, the share called {yes}.",
            ),
            "equalized_odds": (
                "Equalized odds",
                "larger of two gaps",
                f"the larger of the gap above and the gap in others called {yes}.",
            ),
            "predictive_parity": (
                f"“{capital(yes)}” that is true",
                "predictive parity",
                f"of those called {yes}, the share that are.",
            ),
            "accuracy": ("Accuracy", "accuracy", "the share of right answers."),
            "demographic_parity": (
                f"Called {yes}",
                "demographic parity",
                f"the share called {yes}, whatever the truth.",
            ),
        }
    return {
        "accuracy": ("Accuracy", "accuracy", "the share of right answers."),
        "equal_opportunity": (
            "Each level found",
            "equal opportunity",
            "of those of a level, the share called so; the level with the largest gap counts.",
        ),
        "equalized_odds": (
            "Equalized odds",
            "larger of two gaps",
            "the larger of the gap above and the gap in others called that level.",
        ),
        "predictive_parity": (
            "True answers",
            "predictive parity",
            "of those called a level, the share that are; the level with the largest gap counts.",
        ),
        "demographic_parity": (
            "Each answer given",
            "demographic parity",
            "the share given each answer, whatever the truth.",
        ),
    }


def others(names: Names) -> dict[str, tuple[str, str, str]]:
    """Return the disparities that are no largest gap, in the same form."""
    return {key: told for key, told in OTHERS.items() if names.known or key in WITHOUT_TRUTH}


MISSED = "missing_prediction_difference"
WITHOUT_TRUTH = ("differential_fairness", MISSED)
OTHERS = {
    "average_odds_difference": (
        "Average odds",
        "mean of both gaps",
        "the gap in the mean of the true and the false finds; opposite gaps cancel.",
    ),
    "mean_pair_equalized_odds": (
        "Mean over pairs",
        "mean-pair equalized odds",
        "the mean over pairs of groups and label levels of the gap in answers (FSCL).",
    ),
    "bias_amplification": (
        "Bias amplification",
        "Zhao et al. 2017",
        "how much more often answers follow the pattern than the reference does; 0 is none.",
    ),
    "differential_fairness": (
        "Widest log ratio",
        "differential fairness",
        "the largest log ratio of how often an answer is given, over all pairs and answers.",
    ),
    MISSED: (
        "Missing predictions",
        "gap in rows without an answer",
        "the share of rows without a prediction.",
    ),
}
