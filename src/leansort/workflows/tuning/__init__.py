"""`leansort tune …`: trials priced, trained and compared. May import every other room but the file `run`.

Begin with `study_runner`, then `trial_evaluation`.
"""
