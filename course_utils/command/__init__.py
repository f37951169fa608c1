"""What ``course`` runs: the lab, the doctor, the learner's copies of the lessons, and the training of models."""
