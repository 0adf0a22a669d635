"""What follows once a run has its bundle: it is timed, submitted, scored and reported.

May import every floor below the workflows, and of these all that measure and report. Begin with `finish`.
"""
