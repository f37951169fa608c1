"""diagnose-runs: what is wrong with three trainings."""

from course_utils.checks._words import one_word_each

CHECK = one_word_each(
    "run",
    words=("collapse", "overfitting", "learning rate too high", "KL weight too small", "healthy"),
    truth={"A": "learning rate too high", "B": "collapse", "C": "overfitting"},
    evidence={
        ("A", "collapse"): "Run A: its KL term is far from 0, so the code carries something. Look at how the loss "
            "moves from one epoch to the next.",
        ("A", "overfitting"): "Run A: training and validation are thrown about together, and overfitting would drive "
            "them apart. What makes single steps so large?",
        ("A", "KL weight too small"): "Run A: with a small weight the KL term would rise calmly, far above the "
            "healthy run's, and stay there. Is this calm?",
        ("A", "healthy"): "Run A: compare its loss with the healthy run's, in height and in calm. Would you go on?",
        ("B", "overfitting"): "Run B: training and validation lie on each other. What does its KL term say?",
        ("B", "learning rate too high"): "Run B: its curves are calm and flat. How many nats does its code carry?",
        ("B", "KL weight too small"): "Run B: its KL term is near 0, which is what a weight that is too LARGE does. "
            "What is that state called?",
        ("B", "healthy"): "Run B: the loss is calm because nothing is learned any more. Compare its height and its KL "
            "term with the healthy run's.",
        ("C", "collapse"): "Run C: its KL term is well above 0. Compare its training loss with its validation loss.",
        ("C", "learning rate too high"): "Run C: its training loss falls smoothly all the way. Why does the "
            "validation loss not follow?",
        ("C", "KL weight too small"): "Run C: a small weight would lift the KL term far above the healthy run's, and "
            "here it is much the same. What parts is training and validation: which set was too small?",
        ("C", "healthy"): "Run C: where do its two losses end, and where do the healthy run's? One of the two has "
            "stopped falling early.",
    },
)  # fmt: skip
