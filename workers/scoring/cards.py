"""A model's card: what it says, what it saw, how good it is, what it is not for. Stored with the model, and printed."""

from datetime import date
from typing import TYPE_CHECKING, Any

from workers.scoring import HORIZON_DAYS

if TYPE_CHECKING:
    from workers.scoring.trained import Trained

SAYS = {
    "churn": f"the probability that a member who bought in the last 90 days buys nothing in the next {HORIZON_DAYS}",
    "cross_sell": f"the probability that a member first buys a category in the next {HORIZON_DAYS} days",
}
NAMES = {
    "auc": "ROC-AUC", "average_precision": "average precision", "brier": "Brier", "ece": "ECE",
    "lift_10": "lift at 10%", "recall_10": "Recall@10", "ndcg_10": "NDCG@10",
}  # fmt: skip
LIMITS = (
    "Features are purchases only: no synthetic fact, no demographic, no baby's date. It says who may leave or buy, not "
    "whom a contact would change: that needs a holdout."
)
COMPARED = {"churn": "AUC less RFM logistic's", "cross_sell": "NDCG@10 less popularity's"}


def figure(told: list[float | None] | None) -> str:
    """A metric with its interval, as a person reads it."""
    if not told or told[0] is None:
        return ""
    value, low, high = told
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.3f}-{high:.3f})"


def card(model: "Trained", metrics: dict[str, Any]) -> str:
    """Plain Markdown; the same model gives the same card."""
    days = [date.fromisoformat(day) for day in metrics["training_cut_offs"]]
    seen = f"{len(days)} cut-offs, {min(days)} to {max(days)}" if days else "nothing"
    says = (
        f"Says {SAYS[model.name]}. Family: {model.learner.family} ({model.why}). Trained on {seen}; saw nothing at or "
        f"after 00:00 of {model.as_of}. Calibration: {model.calibration.to_json()['method']}."
    )
    lines = [f"# {model.name} as of {model.as_of}", "", says, ""]
    if "models" in metrics:
        judged = (
            f"Judged on {metrics['judged_on']} ({metrics['rows']:,} rows, {metrics['positives']:,} positive), trained "
            f"on earlier cut-offs only; 95% bootstrap intervals over members. {COMPARED[model.name]}: "
            f"{figure(metrics['difference_to_baseline'])}."
        )
        lines += [judged, "", *table(metrics["models"]), ""]
    return "\n".join([*lines, LIMITS])


def table(models: dict[str, Any]) -> list[str]:
    """The judged models side by side, as Markdown."""
    columns = [name for name in NAMES if any(name in figures for figures in models.values())]
    rows = ["| model | " + " | ".join(NAMES[name] for name in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for model, figures in models.items():
        rows.append(f"| {model} | " + " | ".join(figure(figures.get(name)) for name in columns) + " |")
    return rows
