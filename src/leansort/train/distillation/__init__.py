"""Learning from teachers: networks or bundles. Begin with `teacher_loss`."""
